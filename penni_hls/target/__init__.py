"""What is built for: boards, resources, the memories of a device."""
