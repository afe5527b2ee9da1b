//! Group commit: callers that come while a batch is being written make up the next one. A lone caller waits for nobody.

use futures::future::BoxFuture;
use std::{
    mem,
    sync::{Arc, Mutex},
};
use tokio::sync::{Mutex as Turn, oneshot};

type Work<T, R> = Box<dyn Fn(Vec<T>) -> BoxFuture<'static, Vec<R>> + Send + Sync>;

/// Collects what many callers want written, and writes it together.
pub struct Batcher<T, R>(Arc<Inner<T, R>>);

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Inner<T, R> {
    waiting: Mutex<Vec<(T, oneshot::Sender<R>)>>,
    turn: Turn<()>,
    most: usize,
    work: Work<T, R>,
}

impl<T: Send + 'static, R: Send + 'static> Batcher<T, R> {
    /// `work` writes a batch of at most `most` items and answers each, in their order.
    pub fn new(most: usize, work: impl Fn(Vec<T>) -> BoxFuture<'static, Vec<R>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { waiting: Mutex::default(), turn: Turn::new(()), most, work: Box::new(work) }))
    }

    /// Hands in one item; its answer comes when its batch is written, `None` if that never ends. A caller that goes
    /// away takes nothing back.
    pub async fn call(&self, item: T) -> Option<R> {
        let (tell, told) = oneshot::channel();
        let is_first = {
            let mut waiting = self.0.waiting.lock().expect("no panic");
            waiting.push((item, tell));
            waiting.len() == 1
        };
        if is_first {
            // A task of its own: the batch must not end with the caller who happened to open it.
            tokio::spawn(Self::write(self.0.clone()));
        }
        told.await.ok()
    }

    async fn write(inner: Arc<Inner<T, R>>) {
        let _turn = inner.turn.lock().await;
        let mut batch = mem::take(&mut *inner.waiting.lock().expect("no panic")).into_iter().peekable();
        while batch.peek().is_some() {
            let (items, tells): (Vec<_>, Vec<_>) = batch.by_ref().take(inner.most).unzip();
            for (tell, answer) in tells.into_iter().zip((inner.work)(items).await) {
                let _ = tell.send(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn whoever_comes_during_a_batch_is_in_the_next_one_and_each_gets_its_own_answer() {
        let written = Arc::new(AtomicUsize::new(0));
        let counted = written.clone();
        let batcher = Batcher::new(64, move |items: Vec<usize>| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tokio::task::yield_now().await;
                items.into_iter().map(|n| n * 2).collect()
            })
        });
        let answers = join_all((0..200).map(|n| batcher.call(n))).await;
        assert!(answers.into_iter().enumerate().all(|(n, answer)| answer == Some(n * 2)));
        assert!(written.load(Ordering::SeqCst) <= 5, "{written:?}");
    }
}
