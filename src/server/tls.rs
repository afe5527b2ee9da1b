//! Whom Tern believes when it speaks TLS itself: the built-in roots, and those of `SSL_CERT_FILE`. And how a connection
//! becomes a secure one.

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{io, path::Path, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// A stream of bytes, secure or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

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

/// Makes the stream a secure one to `host`, or says why not and what to do; `ports` is what to do when the other side does
/// not speak TLS there.
pub async fn handshake(
    tls: &Arc<ClientConfig>,
    host: &str,
    stream: impl Stream + 'static,
    ports: &str,
) -> Result<Box<dyn Stream>, String> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| "the host is no name that a certificate could have.".to_owned())?;
    match TlsConnector::from(tls.clone()).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(insecure(&error, ports)),
    }
}

fn insecure(error: &io::Error, ports: &str) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let sentence = match cause {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired. Its operator must renew it."
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name. Enter the name that the provider gives."
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet. Check the clock of this machine."
            }
            _ => {
                "the server's certificate is of nobody that this machine trusts. The operator of Tern can trust another root with SSL_CERT_FILE."
            }
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            return format!("the server does not speak TLS on this port. {ports}");
        }
        _ => return format!("the handshake failed. {ports}"),
    };
    sentence.to_owned()
}
