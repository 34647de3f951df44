//! Those who sign peers.

use std::sync::Arc;

use rustls::RootCertStore;

use crate::{Fault, Mark, Part, pem};

/// The bundles of certificates of a configuration, each parsed once for all who trust it.
#[derive(Debug, Default)]
pub struct Authorities(Vec<Result<Authority, Fault>>);

/// One bundle.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) roots: Arc<RootCertStore>,
    /// Another bundle has another.
    pub(crate) mark: Mark,
}

impl Authorities {
    /// Parses them, from PEM. What cannot be used is the error of whoever wants to trust it.
    pub fn new(bundles: &[Vec<u8>]) -> Self {
        let parsed = |bundle: &Vec<u8>| {
            let roots = Arc::new(pem::roots(bundle)?);
            let mark = Mark::of(&[bundle]);
            Ok(Authority { roots, mark })
        };
        Self(bundles.iter().map(parsed).collect())
    }

    /// Whether the bundle with this index can be used.
    ///
    /// # Errors
    /// When one of its certificates is none, or there is none in it: peers would be admitted or refused for
    /// no reason.
    pub fn usable(&self, index: u16) -> Result<(), Fault> {
        self.get(index).map(drop)
    }

    /// The bundle with this index, where it can be used.
    pub(crate) fn get(&self, index: u16) -> Result<&Authority, Fault> {
        let found = self.0.get(usize::from(index));
        let missing = || Part::Ca.fault("they did not come along");
        found.ok_or_else(missing)?.as_ref().map_err(Fault::clone)
    }
}

#[cfg(test)]
mod tests {
    use ipc::proxy::UpstreamTls;
    use rcgen::generate_simple_self_signed;

    use super::*;
    use crate::{Client, HTTP_11};

    #[test]
    fn all_who_trust_a_bundle_share_it() {
        let certificate = generate_simple_self_signed(["a.test".into()]).unwrap();
        let authorities = Authorities::new(&[certificate.cert.pem().into_bytes()]);
        let spec = UpstreamTls {
            ca: Some(0),
            sni: None,
            client: None,
        };
        let roots = &authorities.get(0).unwrap().roots;
        let clients = [(); 3].map(|()| Client::new(&spec, &authorities, HTTP_11).unwrap());
        assert_eq!(Arc::strong_count(roots), 1 + clients.len());
    }
}
