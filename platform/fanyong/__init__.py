"""The core of Fanyong: what any multi-tenant platform of its kind needs; it knows no shop."""

__version__ = "0.1.0"
