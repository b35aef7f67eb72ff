"""Adapters behind small protocols: the InsightFace pack, DeepFace's emotions."""
