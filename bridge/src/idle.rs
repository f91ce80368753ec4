//! Idle instances, engine by engine: with those that calls are on they are never more than an engine may have, and none
//! is kept for longer than it was told to be.

use crate::threads::runtime;
use crate::worker::{Worker, lock};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Instant;
use wasmtime_c_api::wasmtime::{Engine, EngineWeak};

struct Kept {
    worker: Arc<Worker>,
    until: Instant,
}

#[derive(Default)]
struct List {
    kept: Vec<Kept>, // the one that has been idle for the longest first
    swept: bool,     // by a task of the runtime's
}

pub struct Instances {
    most: AtomicUsize,
    are_reused: AtomicBool, // else calls need not be counted
    calls: AtomicUsize,
    idle: Mutex<List>,
}

/// A call that counts.
pub struct Counted(Arc<Instances>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
    }
}

/// Those of an engine, which may have so many.
pub fn of(engine: &Engine, most: usize) -> Arc<Instances> {
    static ENGINES: Mutex<Vec<(EngineWeak, Arc<Instances>)>> = Mutex::new(Vec::new());
    let mut engines = lock(&ENGINES);
    engines.retain(|(weak, _)| weak.upgrade().is_some());
    let same = |weak: &EngineWeak| weak.upgrade().is_some_and(|other| Engine::same(&other, engine));
    let found = engines.iter().find(|(weak, _)| same(weak)).map(|(_, instances)| instances.clone());
    let instances = found.unwrap_or_else(|| {
        let instances = Arc::new(Instances {
            most: AtomicUsize::new(0),
            are_reused: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            idle: Mutex::default(),
        });
        engines.push((engine.weak(), instances.clone()));
        instances
    });
    instances.most.fetch_max(most, Relaxed);
    instances
}

impl Instances {
    /// Before any call on the engine.
    pub fn reuse(&self) {
        self.are_reused.store(true, Relaxed);
    }

    pub fn count(self: &Arc<Self>) -> Option<Counted> {
        if !self.are_reused.load(Relaxed) {
            return None;
        }
        self.calls.fetch_add(1, Relaxed);
        Some(Counted(self.clone()))
    }

    /// An idle worker of a service: one that this thread had, if there is one.
    pub fn take(&self, service: usize) -> Option<Arc<Worker>> {
        let kept = &mut lock(&self.idle).kept;
        let thread = thread::current().id();
        let place = kept.iter().rposition(|kept| kept.worker.service == service && kept.worker.is_of(thread));
        let place = place.or_else(|| kept.iter().rposition(|kept| kept.worker.service == service))?;
        Some(kept.remove(place).worker)
    }

    /// Whether more than half of them are there.
    pub fn are_scarce(&self) -> bool {
        2 * (self.calls.load(Relaxed) + lock(&self.idle).kept.len()) > self.most.load(Relaxed)
    }

    /// Before another instance is made, drop those that have been idle for the longest, where there would be too many.
    pub fn make_room(&self) {
        if !self.are_reused.load(Relaxed) {
            return;
        }
        let _entered = runtime().map(|runtime| runtime.enter());
        let kept = &mut lock(&self.idle).kept;
        let excess = (self.calls.load(Relaxed) + kept.len()).saturating_sub(self.most.load(Relaxed)).min(kept.len());
        kept.drain(..excess);
    }

    pub fn keep(self: &Arc<Self>, worker: Arc<Worker>) {
        let until = Instant::now() + worker.idle;
        let mut list = lock(&self.idle);
        if worker.idle.is_zero() || self.calls.load(Relaxed) + list.kept.len() > self.most.load(Relaxed) {
            return; // the call that leaves it still counts
        }
        list.kept.push(Kept { worker, until });
        if !list.swept
            && let Ok(runtime) = runtime()
        {
            list.swept = true;
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// What is dropped of a service under the lock is gone when this returns, whoever drops it.
    pub fn forget(&self, service: usize) {
        let _entered = runtime().map(|runtime| runtime.enter());
        lock(&self.idle).kept.retain(|kept| kept.worker.service != service);
    }

    /// Drop what has been idle for long enough, and say when to look again.
    fn expire(&self) -> Option<Instant> {
        let now = Instant::now();
        let list = &mut *lock(&self.idle);
        list.kept.retain(|kept| kept.until > now);
        let next = list.kept.iter().map(|kept| kept.until).min();
        list.swept = next.is_some();
        next
    }
}

async fn sweep(instances: Weak<Instances>) {
    while let Some(next) = instances.upgrade().and_then(|instances| instances.expire()) {
        tokio::time::sleep_until(next.into()).await;
    }
}
