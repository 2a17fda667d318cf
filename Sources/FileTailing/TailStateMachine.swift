/// What one read of a file brought.
package struct ReadResult: Equatable, Sendable {
    /// Bytes read from the asked offset on; the guard before it does not count.
    package var bytesRead: Int
    /// Whether the bytes before the offset are the remembered ones.
    package var guardHeld: Bool
    package var sizeNow: Int64
    /// Where the next event begins; the asked offset if no event was whole.
    package var endOffsetOfLastWholeEvent: Int64
    /// Up to 64 bytes before that.
    package var guardBytes: [UInt8]

    package init(
        bytesRead: Int,
        guardHeld: Bool,
        sizeNow: Int64,
        endOffsetOfLastWholeEvent: Int64,
        guardBytes: [UInt8] = []
    ) {
        self.bytesRead = bytesRead
        self.guardHeld = guardHeld
        self.sizeNow = sizeNow
        self.endOffsetOfLastWholeEvent = endOffsetOfLastWholeEvent
        self.guardBytes = guardBytes
    }
}

/// How the bytes under a file came to be others.
package enum RewriteCause: String, Equatable, Sendable {
    /// It is shorter than what was read of it.
    case truncated
    /// The bytes before the place are others now.
    case overwritten
}

/// What stands for the end of an event in a read.
package enum ReadEnd: Equatable, Sendable {
    /// More may come: what is not whole waits.
    case open
    /// Nothing has come for a while: whole lines are an event, whatever may follow them.
    case quiet
    /// Nothing more will come: a line needs no newline.
    case final
}

/// What a tail wants done next.
package enum TailAction: Equatable, Sendable {
    /// Open the file at its path; then tell `opened` or `openFailed`.
    case open
    /// Read a chunk and frame it; then tell `read`. The end counts if the read comes back short.
    case read(from: Int64, length: Int, end: ReadEnd)
    /// The bytes that were read are not there any more. Nothing is read until `continued` says
    /// where they are now, or `lost` that they are nowhere.
    case rewritten(RewriteCause)
    /// Close the descriptor; the file is opened again when it changes.
    case close
    /// The file is read, settled and over: close it and forget it.
    case finished(abandonedBytes: Int64)
}

/// One file that grows, rotates and shrinks.
///
/// Told what happened to the file, it says when to open, read and let go. It keeps no
/// bytes but the guard, and no more than one read is ever asked at a time.
///
///     tail.changed(now: now)
///     while let action = tail.nextAction(now: now) { perform(action) }
package struct TailStateMachine: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package struct Configuration: Sendable {
        /// Bytes read in one turn, so that no file waits long behind another.
        package var chunkLength: Int
        /// A read grows to this, when one event fills the chunk; then the framer must cut it.
        package var longestRead = 1024 * 1024 + 4096
        /// How long nobody may have appended to a rotated file before it counts as over.
        package var rotateWait: Duration = .seconds(5)
        /// After this long without growth the descriptor is closed; nil holds it.
        package var closeInactive: Duration?
        /// A file is read once it has not changed for so long; for drops written in place.
        package var settle: Duration = .zero
        /// How long lines may wait for others of their event; nil waits for ever.
        package var eventTimeout: Duration?

        package init(chunkLength: Int = 256 * 1024, maxLine: Int = 1024 * 1024) {
            self.chunkLength = chunkLength
            longestRead = max(chunkLength, maxLine.addingReportingOverflow(4096).partialValue)
        }
    }

    private enum Descriptor: Equatable, Sendable {
        case closed
        case opening
        case open
    }

    /// How a file stands to its name.
    private enum Life: Equatable, Sendable {
        /// It may grow at any time.
        case live
        /// Rotated away or deleted; over once nobody has appended for a while.
        case leaving(quietSince: Instant, nextLook: Instant)
        /// Over after what is there now; for a one-shot run.
        case ending
        /// Its bytes have left their inode.
        case rewritten
        /// Read to its very end; held until its last record is settled.
        case drained
        case finished
    }

    private static let lookInterval: Duration = .seconds(1)
    private static let firstRetryDelay: Duration = .milliseconds(500)
    private static let longestRetryDelay: Duration = .seconds(30)

    package let configuration: Configuration
    /// Where the next read begins.
    package private(set) var position: TailPosition
    /// The size of the file when last looked at.
    package private(set) var size: Int64
    private var descriptor: Descriptor
    private var life = Life.live
    private var hasMore = true
    private var asked: TailAction?
    private var pendingRewrite: RewriteCause?
    private var readLength: Int
    private var settledOffset: Int64
    private var lastGrowth: Instant?
    private var readableAt: Instant?
    private var retryAt: Instant?
    private var retryDelay = Self.firstRetryDelay
    private var abandonedBytes: Int64 = 0
    private var isOneShot = false
    /// Whether nothing had been added when all that was read was settled.
    private var hasLookedLast = false
    /// Whether its bytes were overwritten, rather than deleted with it.
    package private(set) var wasLost = false
    private var shrunkBytes: Int64 = 0
    /// Whether it may be opened again.
    private var hasName = true
    /// Whether what is unfinished was taken for whole already, as far as it is.
    private var isFlushed = false

    /// - Parameter size: the size of the file when it was found.
    package init(
        position: TailPosition,
        configuration: Configuration,
        size: Int64 = 0,
        isOpen: Bool = false
    ) {
        self.position = position
        self.size = max(size, position.offset)
        self.settledOffset = position.offset
        self.configuration = configuration
        self.descriptor = isOpen ? .open : .closed
        self.readLength = configuration.chunkLength
    }

    /// Whether everything that was seen of the file has been read, but for an unfinished event.
    package var isCaughtUp: Bool { !hasMore && asked == nil }

    package var isOpen: Bool { descriptor == .open }

    package var isFinished: Bool { life == .finished }

    /// Whether it waits until it has not changed for a while.
    package var isSettling: Bool { hasMore && readableAt != nil }

    package var isRewritten: Bool { life == .rewritten }

    /// Whether the file still has the name by which it can be opened again.
    package var isClosable: Bool { life == .live && isOpen && asked == nil }

    /// Whether it is read to its last byte, so that even its end would take nothing along.
    package var isIdle: Bool { isClosable && !hasMore && size == position.offset }

    /// Whether it was rotated away or deleted.
    package var isLeaving: Bool {
        switch life {
        case .leaving, .drained: true
        case .live, .ending, .rewritten, .finished: false
        }
    }
}

// MARK: - Told

extension TailStateMachine {
    /// There may be more to read.
    package mutating func changed(now: Instant) {
        if life == .drained || life == .finished || life == .rewritten { return }
        hasMore = true
        if configuration.settle > .zero { readableAt = now + configuration.settle }
    }

    /// The descriptor is open.
    ///
    /// Its size does not count before a guard has held: the bytes may be others by now.
    package mutating func opened(now: Instant) {
        descriptor = .open
        asked = nil
        lastGrowth = now
        succeeded()
    }

    /// The file could not be opened; `isGone` if its name leads nowhere, or to another file.
    package mutating func openFailed(isGone: Bool, now: Instant) {
        descriptor = .closed
        asked = nil
        if isGone, life == .ending || !hasName { return abandon() }
        retryLater(now)
    }

    /// A read was done and framed.
    package mutating func read(_ result: ReadResult, now: Instant) {
        guard case .read(_, let length, let readEnd) = asked else { return }
        asked = nil
        succeeded()
        if !result.guardHeld || result.sizeNow < position.offset { return noteRewrite(result) }
        noteSize(result.sizeNow, now)
        let end = result.endOffsetOfLastWholeEvent
        precondition(end >= position.offset, "the framer moved backwards")
        let isStuck = end == position.offset
        if !isStuck {
            position = TailPosition(offset: end, guardBytes: result.guardBytes)
            hasLookedLast = false
        }
        hasMore = result.bytesRead >= length
        readLength = isStuck ? (hasMore ? longer(length) : length) : configuration.chunkLength
        guard !hasMore else { return }
        switch readEnd {
        case .open: break
        case .quiet: isFlushed = true
        case .final: life = .drained
        }
    }

    /// A read failed; it is tried again, through a new descriptor if the file still has its name.
    package mutating func readFailed(now: Instant) {
        asked = nil
        hasMore = true
        if life == .live { descriptor = .closed }
        retryLater(now)
    }

    /// Processing stopped before the end of the chunk, at an event's edge; the rest is read again.
    ///
    /// - Parameter size: that of the file when the chunk was read.
    package mutating func paused(at position: TailPosition, size: Int64, now: Instant) {
        asked = nil
        noteSize(size, now)
        self.position = position
        hasMore = true
        if life == .drained { life = .ending }
    }

    /// What was read behind a place has to be read again.
    ///
    /// Of a file whose bytes are gone meanwhile that is lost, and counted as abandoned.
    package mutating func rewind(to place: TailPosition, now: Instant) {
        guard place.offset < position.offset, life != .finished else { return }
        let isGone = life == .drained && (wasLost || descriptor != .open && !hasName)
        if isGone { abandonedBytes += position.offset - place.offset }
        position = place
        readLength = configuration.chunkLength
        hasLookedLast = false
        isFlushed = false
        guard life != .rewritten, !isGone else { return }
        hasMore = true
        guard life == .drained else { return }
        life =
            isOneShot
            ? .ending : .leaving(quietSince: lastGrowth ?? now, nextLook: now + Self.lookInterval)
    }

    /// The file left the globs.
    package mutating func moved(now: Instant) {
        hasName = true
        leave(now)
    }

    /// The file's last name is gone.
    package mutating func removed(now: Instant) {
        hasName = false
        leave(now)
    }

    /// The file is back in the globs, perhaps under another name.
    package mutating func renamed(now: Instant) {
        if life == .finished || life == .rewritten { return }
        life = .live
        hasName = true
        hasMore = true
        retryAt = nil
    }

    /// Somebody else has seen that the file was rewritten.
    package mutating func rewritten() {
        guard life != .finished, life != .rewritten else { return }
        life = .rewritten
        hasMore = false
    }

    /// The bytes that were read are under another inode now, and reading goes on there.
    ///
    /// - Parameter end: where they end, when that is before the place that reading has reached.
    package mutating func continued(at end: TailPosition?, size: Int64, isOpen: Bool, now: Instant)
    {
        guard life != .finished else { return }
        if let end, end.offset < position.offset { position = end }
        life = .live
        hasName = true
        pendingRewrite = nil
        asked = nil
        self.size = max(size, position.offset)
        descriptor = isOpen ? .open : .closed
        hasMore = true
        lastGrowth = now
        succeeded()
    }

    /// The bytes of the rewritten file are nowhere: what was not read of them never will be.
    package mutating func lost() {
        guard life == .rewritten else { return }
        pendingRewrite = nil
        wasLost = true
        abandon()
    }

    /// No more is wanted than what the file holds now; for a one-shot run.
    package mutating func finishAtEnd() {
        isOneShot = true
        guard life != .drained, life != .finished else { return }
        life = .ending
        hasMore = true
    }

    /// Every record before `offset` is settled.
    package mutating func settled(through offset: Int64) {
        settledOffset = max(settledOffset, offset)
    }

    private mutating func leave(_ now: Instant) {
        retryAt = nil
        guard life == .live else { return }
        life = .leaving(quietSince: now, nextLook: now + Self.lookInterval)
        hasMore = true
        readableAt = nil
    }

    /// Bytes that were cut off the file's end unread since this was last asked.
    package mutating func takeShrunkBytes() -> Int64 {
        defer { shrunkBytes = 0 }
        return shrunkBytes
    }

    private mutating func noteSize(_ sizeNow: Int64, _ now: Instant) {
        guard sizeNow != size || lastGrowth == nil else { return }
        shrunkBytes += max(0, size - sizeNow)
        size = sizeNow
        lastGrowth = now
        isFlushed = false
        if case .leaving(_, let look) = life { life = .leaving(quietSince: now, nextLook: look) }
    }

    private mutating func noteRewrite(_ result: ReadResult) {
        pendingRewrite = result.sizeNow < position.offset ? .truncated : .overwritten
        life = .rewritten
        hasMore = false
    }

    private mutating func abandon() {
        abandonedBytes = max(0, size - position.offset)
        life = .drained
        hasMore = false
    }

    private func longer(_ length: Int) -> Int {
        min(length.multipliedReportingOverflow(by: 2).partialValue, configuration.longestRead)
    }

    private mutating func retryLater(_ now: Instant) {
        retryAt = now + retryDelay
        retryDelay = min(retryDelay * 2, Self.longestRetryDelay)
    }

    private mutating func succeeded() {
        retryAt = nil
        retryDelay = Self.firstRetryDelay
    }
}

// MARK: - Asked

extension TailStateMachine {
    /// What to do now, or nil if there is nothing to do before ``nextDeadline`` or the next fact.
    ///
    /// After `.open` and `.read` it is nil until the outcome is told.
    package mutating func nextAction(now: Instant) -> TailAction? {
        if let cause = pendingRewrite {
            pendingRewrite = nil
            descriptor = .closed
            return .rewritten(cause)
        }
        guard asked == nil, isDue(retryAt, now) else { return nil }
        if life == .rewritten { return nil }
        if life == .drained { return finishIfSettled() }
        lookAgainIfDue(now)
        if hasMore {
            guard isDue(readableAt, now) else { return nil }
            readableAt = nil
            return readOrOpen(.open)
        }
        if isOver(now) { return readOrOpen(.final) }
        if let flushAt, now >= flushAt { return readOrOpen(.quiet) }
        return closeIfInactive(now)
    }

    /// When to ask ``nextAction(now:)`` unprompted.
    package var nextDeadline: Instant? {
        if asked != nil { return nil }
        if let retryAt { return retryAt }
        if hasMore { return readableAt }
        switch life {
        case .leaving(let quietSince, let look):
            return min(quietSince + configuration.rotateWait, look)
        case .live:
            return [flushAt, isIdle ? inactiveAt : nil].compactMap { $0 }.min()
        case .ending, .rewritten, .drained, .finished:
            return nil
        }
    }

    /// When lines that wait for others of their event are taken for the whole of it.
    private var flushAt: Instant? {
        guard let timeout = configuration.eventTimeout, let lastGrowth, life == .live, !isFlushed,
            size > position.offset
        else { return nil }
        return lastGrowth + timeout
    }

    private func isDue(_ time: Instant?, _ now: Instant) -> Bool {
        time.map { now >= $0 } ?? true
    }

    private mutating func readOrOpen(_ end: ReadEnd) -> TailAction {
        guard descriptor == .open else {
            descriptor = .opening
            return ask(.open)
        }
        return ask(.read(from: position.offset, length: readLength, end: end))
    }

    private mutating func ask(_ action: TailAction) -> TailAction {
        asked = action
        return action
    }

    // A moved file sends no events any more, so its last writer is looked for.
    private mutating func lookAgainIfDue(_ now: Instant) {
        guard case .leaving(let quietSince, let look) = life, now >= look, !isOver(now) else {
            return
        }
        life = .leaving(quietSince: quietSince, nextLook: now + Self.lookInterval)
        hasMore = true
    }

    private func isOver(_ now: Instant) -> Bool {
        switch life {
        case .leaving(let quietSince, _): now >= quietSince + configuration.rotateWait
        case .ending: true
        case .live, .rewritten, .drained, .finished: false
        }
    }

    private mutating func finishIfSettled() -> TailAction? {
        guard settledOffset >= position.offset else { return nil }
        if descriptor == .open, !wasLost, !isOneShot, !hasLookedLast {
            // Its writer may have gone on while Kafka was away.
            hasLookedLast = true
            return ask(.read(from: position.offset, length: readLength, end: .final))
        }
        life = .finished
        descriptor = .closed
        return .finished(abandonedBytes: abandonedBytes)
    }

    private var inactiveAt: Instant? {
        guard let lastGrowth, let wait = configuration.closeInactive else { return nil }
        return lastGrowth + wait
    }

    private mutating func closeIfInactive(_ now: Instant) -> TailAction? {
        guard isIdle, let inactiveAt, now >= inactiveAt else { return nil }
        return close()
    }

    /// Lets the descriptor go to somebody who needs one; the file is opened again for its next read.
    package mutating func close() -> TailAction? {
        guard isClosable else { return nil }
        descriptor = .closed
        return .close
    }
}
