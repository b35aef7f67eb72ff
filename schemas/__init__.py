"""The contract: topics, headers, requests, results and errors. Imports nothing of the project."""
