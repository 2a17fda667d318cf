package import NIOCore
internal import Synchronization

/// All the memory that records may take between a file and a broker's acknowledgement.
///
/// Buffers of `batch.size` are kept and used again, for a fresh one costs more in page faults than
/// filling it. Lanes take buffers and the producer's event loop puts them back, so it is locked.
///
/// Those who find too little queue up, first come, first served: a taker must leave enough for all
/// who wait ahead of it, so one that needs a large buffer is not starved by many small ones.
package final class BufferPool: Sendable {
    /// Somebody who takes buffers, and is told when it may try again.
    package struct Taker: Hashable, Sendable {
        fileprivate let number: Int
    }

    /// How much is taken, and what was waited for.
    package struct Usage: Sendable {
        var memory = 0
        var available = 0
        var waiters = 0
        /// Nanoseconds of each wait that ended.
        var waits = WindowedStatistic()
        /// Records that were refused because of it, one a value.
        var refusals = WindowedStatistic()
    }

    private struct Waiter: Sendable {
        let taker: Taker
        var size: Int
        let since: ContinuousClock.Instant
    }

    private struct State: Sendable {
        /// Bytes that are neither taken nor in `free`.
        var available: Int
        var free: [ByteBuffer] = []
        var waiters: [Waiter] = []
        var callbacks: [Taker: @Sendable () -> Void] = [:]
        var takerCount = 0
        var waits = WindowedStatistic()
        var refusals = WindowedStatistic()
    }

    /// The memory in all.
    package let memory: Int
    /// The size of the buffers that are kept.
    package let bufferSize: Int
    private let state: Mutex<State>

    package init(memory: Int, bufferSize: Int) {
        precondition(bufferSize > 0 && bufferSize <= memory, "no buffer fits into the pool")
        self.memory = memory
        self.bufferSize = bufferSize
        self.state = Mutex(State(available: memory))
    }

    package convenience init(configuration: KafkaProducerConfiguration) {
        self.init(memory: configuration.bufferMemory, bufferSize: configuration.batchSize)
    }

    /// Bytes that may still be taken.
    package var availableBytes: Int {
        self.state.withLock { self.spare($0) }
    }

    /// How many wait for memory.
    package var waiterCount: Int {
        self.state.withLock { $0.waiters.count }
    }

    /// How it is used, with what was measured of it.
    var usage: Usage {
        self.state.withLock { state in
            Usage(
                memory: self.memory,
                available: self.spare(state),
                waiters: state.waiters.count,
                waits: state.waits,
                refusals: state.refusals
            )
        }
    }

    /// Tells that a record was given up because memory was spent.
    func refused(now: ContinuousClock.Instant) {
        self.state.withLock { $0.refusals.record(1, now: now) }
    }

    /// Registers a taker; `notify` is called from any thread whenever a buffer that it was refused
    /// is there.
    package func makeTaker(notify: @escaping @Sendable () -> Void) -> Taker {
        self.state.withLock { state in
            state.takerCount += 1
            let taker = Taker(number: state.takerCount)
            state.callbacks[taker] = notify
            return taker
        }
    }

    /// Takes an empty buffer for `size` bytes, or queues up and returns nil while memory is spent.
    ///
    /// Whoever was refused must try again when notified, or say ``stopWaiting(_:)``.
    package func take(
        size: Int,
        for taker: Taker,
        now: ContinuousClock.Instant
    ) -> PooledBuffer? {
        let charge = max(size, self.bufferSize)
        guard charge <= self.memory else { return nil }
        return self.state.withLock { state in
            let place = state.waiters.firstIndex { $0.taker == taker }
            let ahead = state.waiters[..<(place ?? state.waiters.endIndex)]
            let reserved = ahead.reduce(0) { $0 + $1.size }
            // Another record of this taker may wait for more: it goes first, and its place is kept.
            let wanted = max(charge, place.map { state.waiters[$0].size } ?? charge)
            if self.spare(state) - reserved >= wanted {
                if let place, wanted == charge {
                    let waited = now - state.waiters.remove(at: place).since
                    state.waits.record(waited / .nanoseconds(1), now: now)
                }
                return self.takeLocked(charge, &state)
            }
            if let place {
                state.waiters[place].size = wanted
            } else {
                state.waiters.append(Waiter(taker: taker, size: charge, since: now))
            }
            return nil
        }
    }

    /// Gives a buffer back, and tells those whose turn it is.
    ///
    /// `clear()` allocates anew if somebody else still refers to the bytes, so a buffer that a
    /// socket is still writing from is never written over.
    package func put(_ buffer: consuming PooledBuffer) {
        let charge = buffer.charge
        buffer.bytes.clear()
        let bytes = buffer.bytes
        let isKept = charge == self.bufferSize && bytes.capacity >= charge
        let ready = self.state.withLock { state in
            if isKept {
                state.free.append(bytes)
            } else {
                state.available += charge
            }
            return self.callbacksOfReady(state)
        }
        for notify in ready { notify() }
    }

    /// Leaves the queue: the refused record is not coming.
    package func stopWaiting(_ taker: Taker) {
        let ready = self.state.withLock { state in
            state.waiters.removeAll { $0.taker == taker }
            return self.callbacksOfReady(state)
        }
        for notify in ready { notify() }
    }

    /// Forgets a taker, and its place in the queue.
    package func remove(_ taker: Taker) {
        self.state.withLock { _ = $0.callbacks.removeValue(forKey: taker) }
        self.stopWaiting(taker)
    }

    private func spare(_ state: borrowing State) -> Int {
        state.available + state.free.count * self.bufferSize
    }

    private func takeLocked(_ charge: Int, _ state: inout State) -> PooledBuffer {
        if charge == self.bufferSize, let bytes = state.free.popLast() {
            return PooledBuffer(bytes: bytes, charge: charge)
        }
        while state.available < charge, !state.free.isEmpty {
            state.free.removeLast()
            state.available += self.bufferSize
        }
        precondition(state.available >= charge, "the pool promised more than it has")
        state.available -= charge
        let bytes = ByteBufferAllocator().buffer(capacity: charge)
        return PooledBuffer(bytes: bytes, charge: charge)
    }

    private func callbacksOfReady(_ state: borrowing State) -> [@Sendable () -> Void] {
        var left = self.spare(state)
        var ready: [@Sendable () -> Void] = []
        for waiter in state.waiters {
            left -= waiter.size
            guard left >= 0 else { break }
            if let notify = state.callbacks[waiter.taker] { ready.append(notify) }
        }
        return ready
    }
}

/// A buffer and what it counts for in the pool that it came from.
package struct PooledBuffer: Sendable {
    package var bytes: ByteBuffer
    package let charge: Int
}
