/// Whose the records of a batch are, merged into runs while they are appended.
struct RecordPositions {
    private var ended: [ProducerBatch.Run] = []
    /// The run that grows; without records before the first.
    private var last = ProducerBatch.Run(
        owner: 0,
        firstPosition: 0,
        lastPosition: 0,
        count: 0,
        routing: 0
    )
    private(set) var deltas: [UInt32] = []

    var runs: [ProducerBatch.Run] { self.last.count > 0 ? self.ended + [self.last] : self.ended }

    mutating func append(owner: UInt64, position: Int64, routing: Int32) {
        if self.last.owner == owner, self.last.routing == routing,
            self.continues(at: position, routing: routing), let delta = self.delta(to: position)
        {
            self.last.lastPosition = position
            self.last.count += 1
            self.deltas.append(delta)
        } else {
            self.beginRun(owner: owner, position: position, routing: routing)
        }
    }

    mutating func beginRun(owner: UInt64, position: Int64, routing: Int32) {
        if self.last.count > 0 { self.ended.append(self.last) }
        self.last = ProducerBatch.Run(
            owner: owner,
            firstPosition: position,
            lastPosition: position,
            count: 1,
            routing: routing
        )
        self.deltas.append(0)
    }

    /// Whether a record lies behind the last one, and neither of them is out of turn.
    func continues(at position: Int64, routing: Int32) -> Bool {
        self.last.count > 0 && position >= self.last.lastPosition
            && self.last.routing != ProducerBatch.Run.answer
            && routing != ProducerBatch.Run.answer
    }

    /// Nil where the position is too far: a run of its own begins there.
    private func delta(to position: Int64) -> UInt32? {
        let (delta, overflow) = position.subtractingReportingOverflow(self.last.firstPosition)
        return overflow ? nil : UInt32(exactly: delta)
    }
}
