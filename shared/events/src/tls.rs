//! TLS as every client here speaks it: rustls with ring.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// The settings of a client that trusts these roots and shows no certificate of its own.
///
/// # Panics
///
/// Never: ring knows the versions that are asked for.
pub fn client(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Whom the system trusts, or, where they are set, `SSL_CERT_FILE` and `SSL_CERT_DIR`. Reading them takes milliseconds.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
