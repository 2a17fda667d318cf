import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

/// Our way, with everything that may go wrong while it goes on, another end of the process too.
extension CrashScene {
    /// The process ends once more.
    private struct Crash: Error {}

    func recover() throws {
        var crashes = 0
        while true {
            do {
                let successor = try self.resolveRows(mayCrash: crashes < 3)
                return try self.writeRest(successor, mayCrash: crashes < 3)
            } catch is Crash {
                crashes += 1
                self.endProcess()
                self.pass(self.milliseconds(0...2000))
            }
        }
    }

    // MARK: What is in doubt

    private func resolveRows(mayCrash: Bool) throws -> ProducerIdentity? {
        // Records in their order, whichever rows were written first.
        self.rows.sort { $0.records[0] < $1.records[0] }
        var machine = RecoveryStateMachine(
            rows: self.rows.map { self.recoveryBatch($0) },
            acknowledged: self.acknowledged,
            settings: self.settings,
            wallClock: self.wallClock,
            seed: self.random.next(),
            now: self.now
        )
        var leader = self.tellLeader(&machine)
        var unmade = self.rows.map { (id: $0.id, time: self.now + self.milliseconds(0...2000)) }
        for _ in 0..<10_000 {
            if mayCrash, self.onceIn(60) { throw Crash() }
            if self.onceIn(5) { leader = self.tellLeader(&machine) }
            for (id, _) in unmade.filter({ $0.time <= self.now }) { machine.made(row: id) }
            unmade.removeAll { $0.time <= self.now }
            guard let action = machine.nextAction(now: self.now) else {
                let next = [machine.nextDeadline(now: self.now), unmade.map(\.time).min()]
                    .compactMap { $0 }.min()
                self.pass(max(.milliseconds(1), next.map { $0 - self.now } ?? .milliseconds(50)))
                continue
            }
            switch action {
            case .ask(let question, let id):
                let answer = try self.answer(to: question, leader)
                machine.received(answer, to: id, now: self.now)
                if case .failed = answer { leader = self.tellLeader(&machine) }
            case .send(let id):
                let outcome = try self.attempt(id, at: leader, mayCrash: mayCrash)
                machine.sent(row: id, outcome, now: self.now)
                if case .failed = outcome { leader = self.tellLeader(&machine) }
            case .resolved(let id, .appended(let offset)):
                guard let row = self.rows.first(where: { $0.id == id }) else { break }
                self.settle(row, at: offset)
            case .resolved(_, .absent): break  // Its row stays until another has its records.
            case .unsettled(let id): throw Failure(description: "row \(id) was lost")
            case .unjournaled(let batch): throw Failure(description: "\(batch) is not journaled")
            case .stop(let reason): throw Failure(description: reason)
            case .done(let successor): return successor
            }
        }
        throw Failure(description: "it comes to no end: \(machine.status)")
    }

    private func recoveryBatch(_ row: Row) -> RecoveryBatch {
        RecoveryBatch(
            id: row.id,
            topicID: self.topicID,
            producerID: row.identity.id,
            epoch: row.identity.epoch,
            baseSequence: row.sequence,
            recordCount: Int32(row.records.count),
            createdAt: row.createdAt,
            maxTimestamp: row.timestamp
        )
    }

    /// Tells who leads, as far as the process knows until it asks again.
    private func tellLeader(_ machine: inout RecoveryStateMachine) -> Leadership {
        let leadership = self.leadership
        machine.leaderChanged(epoch: leadership.epoch, topicID: self.topicID, now: self.now)
        return leadership
    }

    private func answer(
        to question: RecoveryQuestion,
        _ leader: Leadership
    ) throws -> RecoveryAnswer {
        let subject = RecoveryWire.Subject(
            id: Self.topic,
            topicID: self.topicID,
            leaderEpoch: leader.epoch
        )
        let versions = RecoveryWire.Versions(ApiVersionsResponse(apiKeys: Self.apiVersions))
        let request = try RecoveryWire.encode(
            question,
            about: subject,
            versions: versions,
            correlationID: self.nextCorrelationID(),
            clientID: "scene"
        )
        guard let request, let body = self.exchange(request, with: leader.leader),
            !self.onceIn(20)
        else { return .failed(nil) }
        return try RecoveryWire.decode(body, to: question, about: subject, versions: versions)
    }

    private static let apiVersions = [
        ApiVersionsResponse.ApiVersion(
            apiKey: .listOffsets,
            minVersion: ListOffsetsRequest.versions.lowerBound,
            maxVersion: ListOffsetsRequest.versions.upperBound
        ),
        ApiVersionsResponse.ApiVersion(apiKey: .describeProducers, minVersion: 0, maxVersion: 0),
        ApiVersionsResponse.ApiVersion(
            apiKey: .fetch,
            minVersion: FetchRequest.versions.lowerBound,
            maxVersion: FetchRequest.versions.upperBound
        ),
    ]

    /// Sends a batch once; request or answer may be lost, or the request come late.
    private func attempt(
        _ id: Int64,
        at leader: Leadership,
        mayCrash: Bool
    ) throws -> RecoverySending {
        guard let row = self.rows.first(where: { $0.id == id }) else {
            throw Failure(description: "row \(id) is sent, and there is none")
        }
        let request = try self.request(row)
        var answer = Answer.lost
        if self.onceIn(12) {
            // It does not arrive, or not soon.
            if self.state == .late || self.state == .old {
                let connection = self.connection(to: leader.leader)
                let frame = Self.frame(request)
                self.plan(.request(frame, connection), in: self.milliseconds(1...25_000))
            }
            self.endProcess()
        } else {
            answer = try self.answer(in: self.exchange(request, with: leader.leader))
            if self.onceIn(12) { answer = .lost }
        }
        if mayCrash, self.onceIn(20) { throw Crash() }
        switch answer {
        case .acknowledged(let offset): return .acknowledged(baseOffset: offset)
        case .refused(let error):
            return Self.isRetriable(answer) ? .failed(error) : .refused(error)
        case .lost: return .failed(nil)
        }
    }

    // MARK: What comes after

    /// Sends the records of batches that are missing, and those that were never written down.
    private func writeRest(_ successor: ProducerIdentity?, mayCrash: Bool) throws {
        let identity = try successor ?? self.freshIdentity()
        self.unwritten = self.rows.flatMap(\.records) + self.unwritten
        self.rows = []
        var next: Int32 = 0
        while !self.unwritten.isEmpty || !self.rows.isEmpty {
            next = self.write(.random(in: 1...6, using: &self.random), identity, from: next)
            while let row = self.rows.first {
                if mayCrash, self.onceIn(60) { throw Crash() }
                let leader = self.leadership
                let request = try self.request(row)
                let answer = try self.answer(in: self.exchange(request, with: leader.leader))
                if mayCrash, self.onceIn(40) { throw Crash() }
                switch answer {
                case .acknowledged(let offset): self.settle(row, at: offset)
                case .refused(let error):
                    guard Self.isRetriable(answer) else {
                        throw Failure(description: "refused: \(error)")
                    }
                case .lost: throw Crash()
                }
            }
        }
    }
}
