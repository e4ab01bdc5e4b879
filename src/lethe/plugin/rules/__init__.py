"""What XNAT asks of a plugin, rule by rule; each module looks at one part of the JAR."""
