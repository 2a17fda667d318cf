internal import Kafka
internal import Logging

/// The end of a fleet: what was read is sent and waited for, and the checkpoints are written.
struct FleetDrain {
    private enum Phase { case committing, draining, ended }

    private let fleet: Fleet
    private var phase: Phase
    /// Success as long as nothing will have to be sent again.
    private(set) var status = ExitStatus.success

    /// Tells the lanes; one whose cluster is another than before has nothing to wait for.
    init(_ fleet: Fleet) {
        self.fleet = fleet
        phase = fleet.transactions == nil ? .draining : .committing
        if fleet.refusal != nil {
            abort(.configuration)
            phase = .draining
        } else if let transactions = fleet.transactions {
            transactions.thread.post(.finish)
        } else {
            drainLanes()
        }
    }

    var isEnded: Bool { phase == .ended }

    /// Gives up what is not acknowledged yet.
    mutating func interrupt() {
        if phase != .ended { abort(.interrupted) }
    }

    /// Goes on as far as nothing has to be waited for.
    ///
    /// - Parameter isLate: whether the time to wait is over.
    mutating func advance(isLate: Bool) {
        switch phase {
        case .committing: advanceCommit(isLate: isLate)
        case .draining: advanceLanes(isLate: isLate)
        case .ended: break
        }
    }

    private mutating func advanceCommit(isLate: Bool) {
        guard let transactions = fleet.transactions?.thread.status else { return }
        if !transactions.isFinished, status == .success {
            guard isLate else { return }
            noteTimeout()
            abort(transactions.isStoreFailing ? .cannotCreate : .temporary)
        }
        if let failure = transactions.failure {
            abort(failure.status)
        } else if status == .success, transactions.hasUncommitted {
            abort(.temporary)
        }
        phase = .draining
        if status == .success { drainLanes() }
    }

    private mutating func advanceLanes(isLate: Bool) {
        guard fleet.lanes.contains(where: \.isRunning) else { return end() }
        guard isLate, status == .success else { return }
        noteTimeout()
        abort(.temporary)
    }

    private mutating func end() {
        phase = .ended
        fleet.close()
        // What was sent will be sent again: that must not look like a success.
        if status == .success, fleet.report.hasUnsavedCheckpoints { status = .cannotCreate }
    }

    private func drainLanes() {
        for lane in fleet.lanes { lane.post(.drain) }
    }

    private mutating func abort(_ reason: ExitStatus) {
        status = reason
        for lane in fleet.lanes { lane.post(.abort) }
    }

    private func noteTimeout() {
        fleet.surroundings.logger.warning(
            "not all was acknowledged in time",
            metadata: ["event": "service.drain_timeout"]
        )
    }
}

extension [Fleet] {
    /// Ends all of them side by side.
    ///
    /// - Parameter timeout: how long acknowledgements are waited for.
    /// - Returns: why one of them has not done all, or success.
    func drain(timeout: Duration, signals: borrowing Signals) -> ExitStatus {
        let deadline = ContinuousClock.now + timeout
        var drains = map(FleetDrain.init)
        while !drains.allSatisfy(\.isEnded) {
            let isInterrupted = signals.wait(for: .milliseconds(5)) == .stop(isInterrupt: true)
            let isLate = ContinuousClock.now >= deadline
            for index in drains.indices {
                if isInterrupted { drains[index].interrupt() }
                drains[index].advance(isLate: isLate)
            }
        }
        return drains.map(\.status).first { $0 != .success } ?? .success
    }
}
