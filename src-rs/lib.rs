//! The addon: Node-API in front of the core crate. No logic here, no wording for users.
#![cfg_attr(
    test,
    allow(dead_code, reason = "napi-derive exports nothing in a test build")
)]
mod node;
