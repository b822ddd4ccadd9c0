"""How work is shared out: stages that overlap, processes of this machine, a cluster."""
