"""A run for OpenTelemetry: its trace and its metrics, made from the report and sent by OTLP."""
