"""Real servers on loopback, in threads of their own, with faults to switch on."""
