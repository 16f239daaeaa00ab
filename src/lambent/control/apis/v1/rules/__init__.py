"""What documents of REST APIs may contain."""
