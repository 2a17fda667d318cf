import KafkaProtocol
import Testing

@testable import Kafka

/// R4 to R6 of the design: what the log says, and what can be done where it may not be read.
@Suite struct RecoveryReadingTests {
    // MARK: R4, reading the log

    @Test func `others' batches are passed over, and the log is read to its end`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers()
        talk.answer(.startOffset, .offset(0))
        talk.answer(.endOffset, .offset(140))
        let first = [logged(0, at: 100, of: 1), logged(100, at: 110)]
        let second = [logged(10, at: 120, of: 1), logged(110, at: 130)]
        let ids: Set<Int64> = [7]
        talk.answer(
            .batches(from: 100, positionsOf: ids),
            .batches(FetchedBatches(batches: first, highWatermark: 140, startOffset: 0))
        )
        talk.isAppended(1, at: 110)
        #expect(talk.machine.status == .reading(offset: 120, end: 140))
        talk.answer(
            .batches(from: 120, positionsOf: ids),
            .batches(FetchedBatches(batches: second, highWatermark: 140, startOffset: 0))
        )
        talk.isAppended(2, at: 130)
        talk.isDone()
    }

    @Test func `what only some replicas have is waited for`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers()
        talk.answer(.startOffset, .offset(0))
        talk.answer(.endOffset, .offset(110))
        let question = RecoveryQuestion.batches(from: 100, positionsOf: [7])
        talk.answer(
            question,
            .batches(FetchedBatches(batches: [], highWatermark: 100, startOffset: 0))
        )
        talk.pass()
        talk.answer(
            question,
            .batches(
                FetchedBatches(batches: [logged(100, at: 100)], highWatermark: 110, startOffset: 0)
            )
        )
        talk.isAppended(1, at: 100)
        talk.isDone()
    }

    @Test func `a leader that changes while the log is read is asked, and reading goes on`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers()
        talk.answer(.startOffset, .offset(0))
        talk.answer(.endOffset, .offset(120))
        talk.answer(
            .batches(from: 100, positionsOf: [7]),
            .batches(
                FetchedBatches(batches: [logged(100, at: 100)], highWatermark: 120, startOffset: 0)
            )
        )
        talk.isAppended(1, at: 100)
        talk.lead(epoch: 4)
        talk.remembers()
        talk.reads(from: 110, [logged(110, at: 110)])
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `offsets that were deleted are reported, and what may be there is sent again`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers()
        talk.reads(from: 300, start: 300, [logged(0, at: 300, of: 1)])
        #expect(talk.machine.report.offsetsInDoubt == [100..<300])
        #expect(talk.machine.report.possibleRepeats == 10)
        talk.sends(1, .acknowledged(baseOffset: 310))
        talk.isAppended(1, at: 310)
        talk.isDone()
    }

    @Test func `what the leader remembers needs not be in the log any more`() {
        var talk = RecoveryTalk(journal(1))
        talk.lead(epoch: 3)
        talk.machine.cannotMake(row: 1, now: talk.now)
        talk.remembers(remembered(109))
        talk.reads(from: 300, start: 300, end: 300, [])
        talk.isAppended(1)
        talk.isDone()
        #expect(talk.machine.report.possibleRepeats == 0)
    }

    @Test func `offsets that were compacted are in doubt`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers()
        talk.reads(from: 100, [logged(0, at: 100, of: 1), logged(10, at: 130, of: 1)])
        #expect(talk.machine.report.offsetsInDoubt == [110..<130])
        #expect(talk.next() == .send(row: 1))
    }

    @Test func `a log that is shorter than what was acknowledged is read from its beginning`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers()
        talk.answer(.startOffset, .offset(0))
        talk.answer(.endOffset, .offset(60))
        talk.reads(from: 0, [logged(40, at: 0, count: 50), logged(100, at: 50)])
        #expect(talk.machine.report.lostRecords == 40)
        talk.isAppended(1, at: 50)
        talk.isDone()
    }

    @Test func `other boundaries in the log stop it`() throws {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers()
        talk.reads(from: 100, [logged(105, at: 100)])
        #expect(try talk.stops().contains("another copy of this state directory was in use"))
    }

    @Test func `a broker that does not tell what it remembers has its log read`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.answer(.highWatermark, .offset(500))
        talk.answer(.producers, .failed(.unsupportedVersion))
        talk.pass()
        talk.answer(.highWatermark, .offset(500))
        talk.reads(from: 100, [logged(100, at: 100)])
        talk.isAppended(1, at: 100)
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    // MARK: R5, the ladder

    private func started(
        _ rows: [RecoveryBatch],
        _ change: (inout RecoveryStateMachine.Settings) -> Void = { _ in }
    ) -> RecoveryTalk {
        var talk = RecoveryTalk.started(rows, change)
        talk.answer(.highWatermark, .offset(500))
        talk.answer(.producers, .failed(.topicAuthorizationFailed))
        if case .trying = talk.machine.state { talk.pass() }
        return talk
    }

    @Test func `without the right to read each batch is tried, and one settles those before it`() {
        var talk = self.started(journal(4))
        talk.sends(1, .refused(.outOfOrderSequenceNumber))
        talk.sends(2, .refused(.outOfOrderSequenceNumber))
        talk.sends(3, .acknowledged(baseOffset: 120))
        talk.isAppended(1)
        talk.isAppended(2)
        talk.isAppended(3, at: 120)
        talk.sends(4, .acknowledged(baseOffset: 130))
        talk.isAppended(4, at: 130)
        talk.isDone()
    }

    @Test func `an attempt without an answer begins the ladder anew`() {
        var talk = self.started(journal(2))
        talk.sends(1, .refused(.outOfOrderSequenceNumber))
        talk.sends(2, .failed(nil))
        talk.pass()
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `what nobody can tell stops it`() throws {
        var talk = self.started(journal(2))
        talk.sends(1, .refused(.outOfOrderSequenceNumber))
        talk.sends(2, .refused(.outOfOrderSequenceNumber))
        #expect(try talk.stops().contains("Grant READ on the topic, or choose at_least_once"))
    }

    @Test func `what nobody can tell is sent again where that is wanted, and counted`() {
        var talk = self.started(journal(2)) { $0.repeatsUndecided = true }
        talk.sends(1, .refused(.outOfOrderSequenceNumber))
        talk.sends(2, .refused(.outOfOrderSequenceNumber))
        talk.isAbsent(1)
        talk.isAbsent(2)
        talk.isDone()
        #expect(talk.machine.report.possibleRepeats == 20)
    }

    @Test func `who is fenced stops`() throws {
        var talk = self.started(journal(2))
        talk.sends(1, .refused(.invalidProducerEpoch))
        #expect(try talk.stops().contains("was used under a later epoch"))
    }

    @Test func `the ladder is refused to what brokers may have forgotten`() throws {
        var talk = self.started(journal(1, age: 25 * hour))
        #expect(try talk.stops().contains("Grant READ on the topic"))
    }

    @Test func `a later batch says nothing of one that was refused by a leader without memory`()
        throws
    {
        var talk = self.started(journal(2, producerID: 8, firstSequence: 0))
        talk.sends(1, .refused(.messageTooLarge))
        talk.sends(2, .acknowledged(baseOffset: 100))
        talk.isAppended(2, at: 100)
        #expect(try talk.stops().contains("1 batches"))
    }

    // MARK: R6, what the journal has lost

    @Test func `batches that the journal has lost tell their positions`() {
        let position = FetchedBatch.Position(record: 0, value: "5f3a9c12e07b44d1/12/0/81920+0")
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers(remembered(119))
        let lost = logged(110, at: 110, positions: [position])
        talk.reads(from: 100, [logged(100, at: 100), lost])
        talk.isAppended(1, at: 100)
        #expect(talk.next() == .unjournaled(lost))
        talk.isDone()
        #expect(talk.machine.report.unjournaledBatches == 1)
    }

    @Test func `batches without rows of an identity that another has followed are no news`() {
        let later = RecoveryAcknowledgement(
            topicID: topicID,
            producerID: 7,
            epoch: 1,
            sequence: -1,
            offset: 99
        )
        let position = FetchedBatch.Position(record: 0, value: "5f3a9c12e07b44d1/12/0/81920+0")
        var talk = RecoveryTalk.started(journal(1), acknowledged: later)
        talk.remembers(remembered(119))
        talk.reads(from: 100, [logged(100, at: 100), logged(110, at: 110, positions: [position])])
        talk.isAppended(1, at: 100)
        talk.isDone()
        #expect(talk.machine.report.unjournaledRecords == 0)
    }

    @Test func `batches that the journal has lost and that tell no positions stop it`() throws {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers(remembered(119))
        talk.reads(from: 100, [logged(100, at: 100), logged(110, at: 110)])
        talk.isAppended(1, at: 100)
        #expect(try talk.stops().contains("do not tell their positions"))
    }

    @Test func `of an identity of which nothing was acknowledged, everything is news`() {
        let position = FetchedBatch.Position(record: 0, value: "5f3a9c12e07b44d1/12/0/0+0")
        let unknown = RecoveryAcknowledgement(
            topicID: topicID,
            producerID: 8,
            epoch: 1,
            sequence: -1,
            offset: 99
        )
        var talk = RecoveryTalk.started([], acknowledged: unknown) {
            $0.findsUnjournaled = true
            $0.endedBefore = beginning - .seconds(31)
        }
        talk.remembers(remembered(9, of: 8, epoch: 1))
        let lost = logged(0, at: 110, of: 8, epoch: 1, positions: [position])
        let others = logged(0, at: 100, of: 1)
        talk.reads(from: 100, of: [8], [others, lost])
        #expect(talk.next() == .unjournaled(lost))
        talk.isDone()
        #expect(talk.machine.report.unjournaledRecords == 10)
        #expect(talk.machine.report.lostRecords == 0)
    }

    @Test func `what the journal has lost may still be under way, and is looked for again`() {
        var talk = RecoveryTalk.started([]) { $0.findsUnjournaled = true }
        talk.remembers(remembered(99))
        #expect(talk.machine.status == .waitingForLateRequests)
        talk.pass()
        talk.remembers(remembered(99))
        talk.isDone()
    }

    @Test func `nothing is waited for that had ended long before this boot`() {
        var talk = RecoveryTalk.started([]) {
            $0.findsUnjournaled = true
            $0.endedBefore = beginning - .seconds(31)
        }
        talk.remembers(remembered(99))
        talk.isDone()
    }

    @Test func `a batch that was split since the journal's last commit is where its pieces are`() {
        let position = FetchedBatch.Position(record: 0, value: "5f3a9c12e07b44d1/12/0/0+0")
        let piece = logged(100, at: 100, count: 4, positions: [position])
        var talk = RecoveryTalk.started(journal(1)) {
            $0.findsUnjournaled = true
            $0.endedBefore = beginning - .seconds(31)
        }
        talk.remembers(remembered(103))
        talk.reads(from: 100, [piece])
        #expect(talk.next() == .unjournaled(piece))
        talk.isAbsent(1)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 1))
    }

    @Test func `what a copy's original has sent since is known by its name, whoever sent it`() {
        let position = FetchedBatch.Position(record: 0, value: "5f3a9c12e07b44d1/12/0/0+0")
        var other = position
        other.value = "0000000000000001/12/0/0+0"
        var talk = RecoveryTalk.started(journal(1)) {
            $0.findsUnjournaled = true
            $0.original = "5f3a9c12e07b44d1"
            $0.endedBefore = beginning - .seconds(31)
        }
        // A later epoch is the original's, who goes on.
        talk.remembers(remembered(9, epoch: 1))
        talk.answer(.startOffset, .offset(0))
        talk.answer(.endOffset, .offset(130))
        let mine = logged(0, at: 110, of: 30, positions: [position])
        let batches = [
            logged(100, at: 100), mine, logged(0, at: 120, of: 31, positions: [other]),
        ]
        let fetched = FetchedBatches(batches: batches, highWatermark: 130, startOffset: 0)
        talk.answer(.batches(from: 100, positionsOf: nil), .batches(fetched))
        talk.isAppended(1, at: 100)
        #expect(talk.next() == .unjournaled(mine))
        talk.isDone()
    }

    @Test func `a topic that is gone has nothing of what the journal has lost`() {
        var talk = RecoveryTalk.started([]) { $0.findsUnjournaled = true }
        talk.machine.topicIsGone()
        talk.isDone()
        var open = RecoveryTalk.started(journal(1)) { $0.findsUnjournaled = true }
        open.machine.topicIsGone()
        #expect(open.machine.status == .asking)
    }

    @Test func `where nothing may be read, nobody can tell what the journal has lost`() throws {
        var talk = RecoveryTalk.started([]) { $0.findsUnjournaled = true }
        talk.answer(.highWatermark, .failed(.topicAuthorizationFailed))
        #expect(try talk.stops().contains("Grant READ on the topic"))
    }

    @Test func `where the journal may have lost its end, it is asked with nothing in flight`() {
        let position = FetchedBatch.Position(record: 0, value: "5f3a9c12e07b44d1/12/0/81920+0")
        var talk = RecoveryTalk.started([]) {
            $0.findsUnjournaled = true
            $0.endedBefore = beginning - .seconds(31)
        }
        talk.remembers()
        let lost = logged(100, at: 120, positions: [position])
        talk.reads(from: 100, [logged(0, at: 100, count: 20, of: 1), lost])
        #expect(talk.next() == .unjournaled(lost))
        talk.isDone()
    }
}
