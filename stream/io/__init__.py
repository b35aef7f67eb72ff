"""A leaf that workers and the HTTP edge share: Kafka's connection settings, stores and fetching."""
