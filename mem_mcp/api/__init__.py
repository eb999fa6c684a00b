"""The contract: arguments and results of every operation. Imports nothing heavy."""
