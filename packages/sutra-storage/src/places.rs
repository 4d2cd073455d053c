//! Limits the open connections, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most open connections: half of the file descriptors that a process usually gets.
pub const ALL: usize = 512;
/// The most connections from one address. However slowly it sends heads and bodies, other addresses
/// keep the rest of the connections, and half of the requests that may run at once.
pub const FROM_ONE: usize = 128;

/// The open connections.
#[derive(Default)]
pub struct Places {
    /// The number of connections from each address; an address without any has no entry.
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place; dropping it frees the place.
pub struct Place {
    places: Arc<Places>,
    peer: IpAddr,
}

impl Places {
    /// Returns a place for a connection from `peer`, if one is free.
    pub fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        // An IPv4 client counts as the same address on an IPv6 socket.
        let peer = peer.to_canonical();
        let mut taken = self.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&peer).copied().unwrap_or(0);
        if all >= ALL || own >= FROM_ONE {
            return None;
        }
        taken.insert(peer, own + 1);
        let places = self.clone();
        Some(Place { places, peer })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.peer) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> IpAddr {
        [127, 0, 0, number].into()
    }

    fn take(places: &Arc<Places>, number: u8, count: usize) -> Vec<Place> {
        let taken = (0..count).map(|_| places.take(peer(number)));
        taken.collect::<Option<_>>().unwrap()
    }

    #[test]
    fn one_address_has_at_most_its_share_and_gets_places_back() {
        let places = Arc::new(Places::default());
        let mut own = take(&places, 1, FROM_ONE);
        assert!(places.take(peer(1)).is_none());
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert!(places.take(mapped).is_none());
        assert!(places.take(peer(2)).is_some());
        own.pop();
        assert!(places.take(peer(1)).is_some());
        drop(own);
        assert!(places.taken().is_empty());
    }

    #[test]
    fn all_together_have_at_most_theirs() {
        let places = Arc::new(Places::default());
        let peers = (ALL / FROM_ONE) as u8;
        let taken: Vec<_> = (0..peers)
            .map(|number| take(&places, number, FROM_ONE))
            .collect();
        assert!(places.take(peer(peers)).is_none());
        drop(taken);
        assert!(places.take(peer(peers)).is_some());
    }
}
