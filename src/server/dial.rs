//! Which machines Tern may call on behalf of its users, and nothing else: a name is resolved once, every address is
//! checked, and the checked address is the one that is dialled. Asking the resolver again between check and connection
//! would let a name that changes its mind through.

use async_trait::async_trait;
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;

/// A name is resolved, and a machine connected, within so long each.
const CONNECT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const TRIES: usize = 4;

/// A range of addresses, like `10.0.0.0/8` or `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    base: u128,
    mask: u128,
    is_v4: bool,
}

fn bits(ip: IpAddr) -> (u128, bool) {
    match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, true),
        IpAddr::V6(ip) => (u128::from(ip), false),
    }
}

impl FromStr for Range {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "must be ranges of addresses like 10.0.0.0/8, with commas between them";
        let (address, length) = text.trim().split_once('/').map_or((text.trim(), None), |(a, l)| (a, Some(l)));
        let ip: IpAddr = address.parse().map_err(|_| WRONG)?;
        let (base, is_v4) = bits(ip);
        let most = if is_v4 { 32 } else { 128 };
        let length = length.map_or(Ok(most), str::parse::<u32>).ok().filter(|length| *length <= most).ok_or(WRONG)?;
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        Ok(Self { base: base & mask, mask, is_v4 })
    }
}

impl Range {
    fn contains(self, ip: IpAddr) -> bool {
        let (bits, is_v4) = bits(ip);
        is_v4 == self.is_v4 && bits & self.mask == self.base
    }
}

/// Ranges of IPv4 that are not of the public internet (IANA's registry of special purposes).
const CLOSED_V4: [(u32, u32); 15] = [
    (0x0000_0000, 8),  // this network
    (0x0a00_0000, 8),  // private
    (0x6440_0000, 10), // carriers' NAT
    (0x7f00_0000, 8),  // loopback
    (0xa9fe_0000, 16), // link-local; metadata of clouds
    (0xac10_0000, 12), // private
    (0xc000_0000, 24), // protocol assignments
    (0xc000_0200, 24), // documentation
    (0xc058_6300, 24), // 6to4 relays
    (0xc0a8_0000, 16), // private
    (0xc612_0000, 15), // benchmarks
    (0xc633_6400, 24), // documentation
    (0xcb00_7100, 24), // documentation
    (0xe000_0000, 4),  // multicast
    (0xf000_0000, 4),  // reserved, broadcast
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let ip = u32::from(ip);
    !CLOSED_V4.iter().any(|(base, length)| ip >> (32 - length) == base >> (32 - length))
}

/// An IPv4 address inside an IPv6 one: mapped, compatible, translated (NAT64), 6to4.
fn inner_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let at = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => at(high, low),
        _ => None,
    }
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inner) = inner_v4(ip) {
        return is_public_v4(inner);
    }
    let segments = ip.segments();
    let is_global = segments[0] >> 13 == 1; // 2000::/3, all that is given out
    let is_special = match segments[0] {
        0x2001 => segments[1] < 0x200 || segments[1] == 0xdb8, // protocol assignments, Teredo; documentation
        0x3fff => segments[1] < 0x1000,                        // documentation
        _ => false,
    };
    is_global && !is_special
}

/// True for an address of the public internet, however it is written.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// The name for certificates and DNS: ASCII.
pub fn ascii_host(host: &str) -> String {
    if host.is_ascii() {
        return host.to_owned();
    }
    let url = reqwest::Url::parse(&format!("http://{host}"));
    url.ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| host.to_owned())
}

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses, as the machine's resolver gives them.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why nobody was reached. The sentence does not tell an open port from a closed one inside a private network: there
/// nothing is dialled at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReached {
    /// The name has no address.
    NoAddress,
    /// It leads into a network that is closed to users.
    Closed,
    /// A port that is none of the usual, outside what the operator allows.
    Port,
    /// It refused, or did not answer.
    Silent,
}

/// Dials, within the rule.
#[derive(Clone)]
pub struct Dialer {
    allowed: Arc<[Range]>,
    resolver: Arc<dyn Resolve>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Dialer {
    /// Public addresses, and those in `allowed`.
    pub fn new(allowed: &[Range], resolver: Arc<dyn Resolve>) -> Self {
        Self { allowed: allowed.into(), resolver }
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        let inner = match ip {
            IpAddr::V6(v6) => inner_v4(v6).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        self.allowed.iter().any(|range| range.contains(ip) || inner.is_some_and(|inner| range.contains(inner)))
    }

    /// The addresses of `host` that may be dialled at `port`; `usual` are the ports that need no permission. One closed
    /// address among them closes the name: a name that leads to both is not to be trusted with either.
    async fn resolve(&self, host: &str, port: u16, usual: &[u16]) -> Result<Vec<SocketAddr>, NotReached> {
        let found = match host.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => match tokio::time::timeout(CONNECT, self.resolver.resolve(host)).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) | Err(_) => return Err(NotReached::NoAddress),
            },
        };
        if found.is_empty() {
            return Err(NotReached::NoAddress);
        }
        if !found.iter().all(|ip| is_public(*ip) || self.is_allowed(*ip)) {
            return Err(NotReached::Closed);
        }
        if !usual.contains(&port) && !found.iter().all(|ip| self.is_allowed(*ip)) {
            return Err(NotReached::Port);
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// Connects to one of the checked addresses.
    pub async fn dial(&self, host: &str, port: u16, usual: &[u16]) -> Result<TcpStream, NotReached> {
        for address in self.resolve(host, port, usual).await?.into_iter().take(TRIES) {
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
        }
        Err(NotReached::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Spellings of addresses that are nobody's business.
    const CLOSED: [&str; 46] = [
        "127.0.0.1",
        "127.1.2.3",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.254",
        "169.254.169.254",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.254",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:c0a8:1::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
    ];
    const PUBLIC: [&str; 8] = [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "2a00:1450::1",
        "64:ff9b::808:808",
    ];

    /// Gives one answer after the other.
    struct Changing(Vec<Vec<IpAddr>>, AtomicUsize);

    #[async_trait]
    impl Resolve for Changing {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let turn = self.1.fetch_add(1, Ordering::Relaxed);
            Ok(self.0[turn.min(self.0.len() - 1)].clone())
        }
    }

    fn dialer(allowed: &[&str], answers: &[&[&str]]) -> (Dialer, Arc<Changing>) {
        let ip = |text: &&str| text.parse::<IpAddr>().expect("an address");
        let answers = answers.iter().map(|answer| answer.iter().map(ip).collect()).collect();
        let resolver = Arc::new(Changing(answers, AtomicUsize::new(0)));
        let allowed: Vec<Range> = allowed.iter().map(|range| range.parse().expect("a range")).collect();
        (Dialer::new(&allowed, resolver.clone()), resolver)
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for ip in CLOSED {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
        for ip in PUBLIC {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[tokio::test]
    async fn closed_addresses_are_not_dialled_however_they_are_reached() {
        for ip in CLOSED {
            let (dialer, _) = dialer(&[], &[&[ip]]);
            assert_eq!(dialer.resolve(ip, 25, &[25]).await, Err(NotReached::Closed), "{ip}");
            assert_eq!(dialer.resolve("name.example", 25, &[25]).await, Err(NotReached::Closed), "{ip} by name");
        }
        let (mixed, _) = dialer(&[], &[&["1.1.1.1", "10.0.0.1"]]);
        assert_eq!(mixed.resolve("name.example", 25, &[25]).await, Err(NotReached::Closed));
        let (nothing, _) = dialer(&[], &[&[]]);
        assert_eq!(nothing.resolve("name.example", 25, &[25]).await, Err(NotReached::NoAddress));
    }

    #[tokio::test]
    async fn what_was_checked_is_what_is_dialled() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (rebinding, resolver) = dialer(&["192.0.2.0/24"], &[&["192.0.2.1"], &["127.0.0.1"]]);
        let addresses = rebinding.resolve("name.example", port, &[port]).await.expect("allowed");
        assert_eq!(addresses, [SocketAddr::new("192.0.2.1".parse().expect("an address"), port)]);
        assert_eq!(resolver.1.load(Ordering::Relaxed), 1, "asked once");
        assert_eq!(rebinding.dial("name.example", port, &[port]).await.err(), Some(NotReached::Closed));
    }

    #[tokio::test]
    async fn an_operator_opens_a_network_and_its_ports() {
        let (dialer, _) = dialer(&["10.1.0.0/16", "::1"], &[&["10.1.2.3"], &["10.2.0.1"]]);
        assert!(dialer.resolve("relay", 1025, &[25]).await.is_ok());
        assert_eq!(dialer.resolve("relay", 25, &[25]).await, Err(NotReached::Closed));
        assert!(dialer.resolve("::1", 25, &[25]).await.is_ok());
        assert!(dialer.resolve("::ffff:10.1.0.9", 25, &[25]).await.is_ok());
        assert!(dialer.resolve("1.1.1.1", 25, &[25]).await.is_ok());
        assert_eq!(dialer.resolve("1.1.1.1", 22, &[25]).await, Err(NotReached::Port));
    }

    #[test]
    fn ranges_are_read_and_what_is_none_is_refused() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.9.9.9", "11.0.0.1"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
        ] {
            let range: Range = range.parse().expect("a range");
            assert!(range.contains(inside.parse().expect("an address")), "{inside}");
            assert!(!range.contains(outside.parse().expect("an address")), "{outside}");
        }
        for wrong in ["", "10", "10.0.0.0/33", "10.0.0.0/-1", "localhost", "::/129", "10.0.0.0/8/8"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }
}
