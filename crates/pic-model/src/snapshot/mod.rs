//! What the agent renders for the services. A service starts from its snapshot on disk and serves without the agent.

pub mod app;
pub mod dhcp;
pub mod dns;
pub mod exit;
pub mod openvpn;
pub mod proxy;
pub mod resolver;
pub mod time;
pub mod tor;
