//! Packets through installed rules.
