"""Every option of every command, once: a frozen dataclass a command, whose fields are its flags."""
