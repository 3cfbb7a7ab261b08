"""The story player: it plays JSON files through the public doors and checks every figure they expect."""
