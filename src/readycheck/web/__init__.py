"""What is served over HTTP: the exporter for Prometheus."""
