//! Client over the agent's unix socket.
