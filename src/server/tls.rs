//! Whom Tern believes when it speaks TLS itself: the built-in roots, and those of `SSL_CERT_FILE`.

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// Certificates are verified, always; `extra` is a PEM file of roots that are trusted, too.
pub fn client(extra: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra {
        let shown = path.display();
        let read = CertificateDer::pem_file_iter(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        for certificate in read {
            let certificate = certificate.map_err(|error| format!("{shown} holds no certificates: {error}"))?;
            roots.add(certificate).map_err(|error| format!("{shown} holds a certificate that is no root: {error}"))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
