"""The target hardware: boards, resources, the memories of a device."""
