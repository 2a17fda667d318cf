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

/// Why a file is read from its start again.
package enum RestartCause: Equatable, Sendable {
    /// It is shorter than what was read of it.
    case truncated
    /// The bytes before the place are others now.
    case rewritten
}

/// What a tail wants done next.
package enum TailAction: Equatable, Sendable {
    /// Open the file at its path; then tell `opened` or `openFailed`.
    case open
    /// Read a chunk and frame it; then tell `read`.
    ///
    /// With `atEnd`, if the read comes back short, an unterminated line is an event.
    case read(from: Int64, length: Int, atEnd: Bool)
    /// The file was rewritten: begin a new generation. Bytes never read are lost and counted.
    case restart(RestartCause, abandonedBytes: Int64)
    /// Close the descriptor; the file is opened again when it changes.
    case close
    /// The file is read, settled and over: close it and forget it.
    case finished(abandonedBytes: Int64)
}

/// One file that grows, rotates and shrinks.
///
/// Told what happened to the file, it says when to open, read, restart and let go. It keeps no
/// bytes but the guard, and no more than one read is ever asked at a time.
///
///     tail.changed(now: now)
///     while let action = tail.nextAction(now: now) { perform(action) }
package struct TailStateMachine: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package struct Configuration: Sendable {
        /// Bytes read in one turn, so that no file waits long behind another.
        package var chunkLength = 256 * 1024
        /// A read grows to this, when one event fills the chunk; then the framer must cut it.
        package var longestRead = 1024 * 1024 + 4096
        /// How long nobody may have appended to a rotated file before it counts as over.
        package var rotateWait: Duration = .seconds(5)
        /// After this long without growth the descriptor is closed; nil holds it.
        package var closeInactive: Duration?
        /// A file is read once it has not changed for so long; for drops written in place.
        package var settle: Duration = .zero

        package init(maxLine: Int = 1024 * 1024) {
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
    private var pendingRestart: TailAction?
    private var readLength: Int
    private var settledOffset: Int64
    private var lastGrowth: Instant?
    private var readableAt: Instant?
    private var retryAt: Instant?
    private var retryDelay = Self.firstRetryDelay
    private var abandonedBytes: Int64 = 0

    package init(position: TailPosition, configuration: Configuration, isOpen: Bool = false) {
        self.position = position
        self.size = position.offset
        self.settledOffset = position.offset
        self.configuration = configuration
        self.descriptor = isOpen ? .open : .closed
        self.readLength = configuration.chunkLength
    }

    /// Whether everything that was seen of the file has been read, but for an unfinished event.
    package var isCaughtUp: Bool { !hasMore && asked == nil }

    package var isOpen: Bool { descriptor == .open }

    package var isFinished: Bool { life == .finished }

    /// Whether the descriptor may be closed now without a byte at risk.
    package var isClosable: Bool {
        life == .live && isOpen && isCaughtUp && size == position.offset
    }
}

// MARK: - Told

extension TailStateMachine {
    /// There may be more to read.
    package mutating func changed(now: Instant) {
        if life == .drained || life == .finished { return }
        hasMore = true
        if configuration.settle > .zero { readableAt = now + configuration.settle }
    }

    /// The descriptor is open; `size` is what `fstat` says.
    package mutating func opened(size: Int64, now: Instant) {
        descriptor = .open
        asked = nil
        self.size = max(self.size, size)
        lastGrowth = now
        succeeded()
    }

    /// The file could not be opened; `isGone` if its name leads nowhere, or to another file.
    package mutating func openFailed(isGone: Bool, now: Instant) {
        descriptor = .closed
        asked = nil
        if isGone, life != .live {
            abandonedBytes = max(0, size - position.offset)
            life = .drained
            hasMore = false
            settledOffset = position.offset
            return
        }
        retryLater(now)
    }

    /// A read was done and framed.
    package mutating func read(_ result: ReadResult, now: Instant) {
        guard case .read(_, let length, let atEnd) = asked else { return }
        asked = nil
        succeeded()
        if !result.guardHeld || result.sizeNow < position.offset { return restart(result, now) }
        noteSize(result.sizeNow, now)
        let end = result.endOffsetOfLastWholeEvent
        precondition(end >= position.offset, "the framer moved backwards")
        let isStuck = end == position.offset
        if !isStuck { position = TailPosition(offset: end, guardBytes: result.guardBytes) }
        hasMore = result.bytesRead >= length
        readLength = isStuck ? (hasMore ? longer(length) : length) : configuration.chunkLength
        if atEnd, !hasMore { life = .drained }
    }

    /// A read failed; it is tried again, through a new descriptor if the file still has its name.
    package mutating func readFailed(now: Instant) {
        asked = nil
        hasMore = true
        if life == .live { descriptor = .closed }
        retryLater(now)
    }

    /// Processing stopped before the end of the chunk, at an event's edge; the rest is read again.
    package mutating func paused(at position: TailPosition, now: Instant) {
        asked = nil
        self.position = position
        hasMore = true
        if life == .drained { life = .ending }
    }

    /// The file left the globs.
    package mutating func moved(now: Instant) { leave(now) }

    /// The file's last name is gone.
    package mutating func removed(now: Instant) { leave(now) }

    /// The file is back in the globs, perhaps under another name.
    package mutating func renamed(now: Instant) {
        if life == .finished { return }
        life = .live
        hasMore = true
    }

    /// No more is wanted than what the file holds now; for a one-shot run.
    package mutating func finishAtEnd() {
        guard life != .drained, life != .finished else { return }
        life = .ending
        hasMore = true
    }

    /// Every record before `offset` is settled.
    package mutating func settled(through offset: Int64) {
        settledOffset = max(settledOffset, offset)
    }

    private mutating func leave(_ now: Instant) {
        guard life == .live else { return }
        life = .leaving(quietSince: now, nextLook: now + Self.lookInterval)
        hasMore = true
        readableAt = nil
        retryAt = nil
    }

    private mutating func noteSize(_ sizeNow: Int64, _ now: Instant) {
        guard sizeNow != size || lastGrowth == nil else { return }
        size = sizeNow
        lastGrowth = now
        if case .leaving(_, let look) = life { life = .leaving(quietSince: now, nextLook: look) }
    }

    private mutating func restart(_ result: ReadResult, _ now: Instant) {
        let cause: RestartCause = result.sizeNow < position.offset ? .truncated : .rewritten
        let lost = max(0, size - position.offset)
        pendingRestart = .restart(cause, abandonedBytes: lost)
        position = .start
        settledOffset = 0
        size = result.sizeNow
        readLength = configuration.chunkLength
        hasMore = true
        lastGrowth = now
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
        if let restart = pendingRestart {
            pendingRestart = nil
            return restart
        }
        guard asked == nil, isDue(retryAt, now) else { return nil }
        if life == .drained { return finishIfSettled() }
        lookAgainIfDue(now)
        if hasMore { return isDue(readableAt, now) ? readOrOpen(atEnd: false) : nil }
        if isOver(now) { return readOrOpen(atEnd: true) }
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
            return isClosable ? inactiveAt : nil
        case .ending, .drained, .finished:
            return nil
        }
    }

    private func isDue(_ time: Instant?, _ now: Instant) -> Bool {
        time.map { now >= $0 } ?? true
    }

    private mutating func readOrOpen(atEnd: Bool) -> TailAction {
        guard descriptor == .open else {
            descriptor = .opening
            return ask(.open)
        }
        return ask(.read(from: position.offset, length: readLength, atEnd: atEnd))
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
        case .live, .drained, .finished: false
        }
    }

    private mutating func finishIfSettled() -> TailAction? {
        guard settledOffset >= position.offset else { return nil }
        life = .finished
        descriptor = .closed
        return .finished(abandonedBytes: abandonedBytes)
    }

    private var inactiveAt: Instant? {
        guard let lastGrowth, let wait = configuration.closeInactive else { return nil }
        return lastGrowth + wait
    }

    private mutating func closeIfInactive(_ now: Instant) -> TailAction? {
        guard isClosable, let inactiveAt, now >= inactiveAt else { return nil }
        descriptor = .closed
        return .close
    }
}
