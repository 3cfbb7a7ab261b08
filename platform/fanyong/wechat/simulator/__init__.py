"""A process that speaks WeChat's wire protocol: sandbox brands trade here, and tests prove the gateway here.

It verifies and signs every message the way WeChat does and follows the documented rules for orders,
refunds, transfers, bills and callbacks. Its control routes under `/_sim` play the people: the shopper who
pays, the promoter who confirms, the network that fails. All it knows lies in one SQLite file.
"""
