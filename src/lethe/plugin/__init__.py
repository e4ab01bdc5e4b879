"""The XNAT plugin: data types, generated documents, the JAR and its checks."""
