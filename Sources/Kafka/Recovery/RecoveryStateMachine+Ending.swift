/// How a recovery ends.
extension RecoveryStateMachine {
    /// The topic is there no more: of what the journal has lost, nothing is in the log.
    package mutating func topicIsGone() {
        guard !self.isOver, !self.hasOpenRows else { return }
        self.state = .done
        self.actions.append(.done(successor: nil))
    }

    mutating func stop(_ reason: String) {
        self.state = .stopped(reason)
        self.actions.append(.stop(reason))
    }

    /// Takes the end in: nothing of the partition is in doubt any more.
    mutating func finish() {
        // What the journal has lost may have been under way still when it was looked for.
        if self.settings.findsUnjournaled, self.evidenceFrom < self.quietFrom {
            return self.state = .waiting
        }
        // The original may have gone on under that itself.
        if self.settings.original != nil { self.successor = nil }
        self.state = .done
        self.actions.append(.done(successor: self.successor))
    }
}
