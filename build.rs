//! Lets the linker leave Node-API symbols unresolved until Node loads the addon.
fn main() {
    napi_build::setup();
}
