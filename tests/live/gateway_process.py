"""Where the gateway process was first; it is the lab's now."""

from dialplan.lab.gateway_process import GatewayProcess

__all__ = ["GatewayProcess"]
