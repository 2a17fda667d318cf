import KafkaProtocol
import Testing

@testable import Kafka

/// R0 to R3 of the design: what is known without reading the log.
@Suite struct RecoveryDecisionTests {
    // MARK: R0, what there is to do

    @Test func `with nothing in flight it is done at once`() {
        var talk = RecoveryTalk([])
        talk.isDone()
        #expect(talk.machine.status == .done)
    }

    @Test func `batches that are settled need no question`() {
        var rows = journal(1)
        rows[0].settledOffset = 100
        var talk = RecoveryTalk(rows)
        talk.isDone()
    }

    @Test func `what was acknowledged though its row does not say so is appended`() {
        var last = acknowledged
        last.sequence = 119
        var talk = RecoveryTalk(journal(2), acknowledged: last)
        talk.isAppended(1)
        talk.isAppended(2)
        talk.isDone()
    }

    // MARK: R1, the leader and the topic

    @Test func `nothing is asked while nobody leads`() {
        var talk = RecoveryTalk(journal(1))
        #expect(talk.next() == nil)
        #expect(talk.machine.status == .waitingForLeader)
        talk.lead(epoch: nil)
        #expect(talk.next() == nil)
        talk.lead(epoch: 1)
        #expect(talk.next() == .ask(.highWatermark, 1))
    }

    @Test func `batches of another topic of the name never were in this one`() {
        var talk = RecoveryTalk(journal(2))
        talk.lead(epoch: 0, topicID: TopicID(high: 2, low: 2))
        talk.isAbsent(1)
        talk.isAbsent(2)
        talk.answer(.highWatermark, .offset(0))
        talk.answer(.producers, .producers([]))
        talk.answer(.highWatermark, .offset(0))
        talk.isDone()
        #expect(talk.machine.report.absentRecords == 20)
    }

    @Test func `a cluster without topic ids tells no topics apart`() {
        var talk = RecoveryTalk(journal(1))
        talk.lead(epoch: 0, topicID: .zero)
        #expect(talk.next() == .ask(.highWatermark, 1))
    }

    // MARK: R2, what the leader remembers

    @Test func `a leader that changes while it is asked is asked anew`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.answer(.highWatermark, .offset(500))
        talk.answer(.producers, .producers([remembered(109)]))
        talk.lead(epoch: 4)
        talk.remembers(remembered(99))
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.isDone()
    }

    @Test func `who does not lead any more when it has told proves nothing`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.answer(.highWatermark, .offset(500))
        talk.answer(.producers, .producers([remembered(109)]))
        talk.answer(.highWatermark, .failed(.fencedLeaderEpoch))
        talk.pass()
        talk.remembers(remembered(99))
        #expect(talk.next() == .send(row: 1))
    }

    @Test func `a question without an answer is asked again after a while`() {
        var talk = RecoveryTalk.started(journal(1))
        for _ in 0..<5 {
            talk.answer(.highWatermark, .failed(nil))
            talk.pass()
        }
        talk.remembers(remembered(99))
        #expect(talk.next() == .send(row: 1))
    }

    @Test func `an answer from the former leader is passed over`() {
        var talk = RecoveryTalk.started(journal(1))
        #expect(talk.next() == .ask(.highWatermark, 1))
        talk.lead(epoch: 4)
        talk.machine.received(.offset(500), to: 1, now: talk.now)
        #expect(talk.next() == .ask(.highWatermark, 2))
    }

    // MARK: R3, what follows from it

    @Test func `when all is appended the last batch is sent, which makes all durable`() {
        var talk = RecoveryTalk.started(journal(3))
        talk.remembers(remembered(129))
        talk.sends(3, .acknowledged(baseOffset: 120))
        talk.answer(.highWatermark, .offset(130))
        talk.isAppended(1)
        talk.isAppended(2)
        talk.isAppended(3, at: 120)
        talk.isDone()
        #expect(talk.machine.report.foundBatches == 3 && talk.machine.report.sentBatches == 0)
    }

    @Test func `when some are appended the others are sent, and the first makes those durable`() {
        var talk = RecoveryTalk.started(journal(4))
        talk.remembers(remembered(119))
        talk.sends(3, .acknowledged(baseOffset: 120))
        talk.answer(.highWatermark, .offset(130))
        talk.isAppended(1)
        talk.isAppended(2)
        talk.isAppended(3, at: 120)
        talk.sends(4, .acknowledged(baseOffset: 130))
        talk.isAppended(4, at: 130)
        talk.isDone()
        #expect(talk.machine.report.foundRecords == 20 && talk.machine.report.sentRecords == 20)
    }

    @Test func `when nothing is appended all are sent in order, one in flight`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(99))
        #expect(talk.next() == .send(row: 1))
        #expect(talk.next() == nil)
        #expect(talk.machine.status == .sending(row: 1))
        talk.machine.sent(row: 1, .acknowledged(baseOffset: 100), now: talk.now)
        talk.isAppended(1, at: 100)
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `sequences wrap inside the journal's batches`() {
        let rows = journal(3, firstSequence: .max - 14)
        var last = acknowledged
        last.sequence = .max - 15
        var talk = RecoveryTalk.started(rows, acknowledged: last)
        // The second batch has sequences from 2³¹ − 5 to 4.
        talk.remembers(remembered(4))
        talk.sends(3, .acknowledged(baseOffset: 120))
        talk.answer(.highWatermark, .offset(130))
        talk.isAppended(1)
        talk.isAppended(2)
        talk.isAppended(3, at: 120)
        talk.isDone()
    }

    @Test func `a batch that ends inside one of the journal stops it`() throws {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(104))
        #expect(try talk.stops().contains("another copy of this state directory was in use"))
    }

    @Test func `an epoch that the journal does not know stops it`() throws {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(4, epoch: 1))
        #expect(try talk.stops().contains("was used under epoch 1"))
    }

    @Test func `a later epoch of an identity that another has followed stops nothing`() {
        var rows = journal(1, firstSequence: 80)
        rows[0].settledOffset = 80
        rows += journal(1, producerID: 9, firstRow: 2, firstSequence: 0)
        let later = RecoveryAcknowledgement(
            topicID: topicID,
            producerID: 9,
            epoch: 0,
            sequence: -1,
            offset: 129
        )
        var talk = RecoveryTalk.started(rows, acknowledged: later)
        // The rows of epoch 1 are gone; that of epoch 0 waits for its file.
        talk.remembers(remembered(29, epoch: 1))
        talk.sends(2, .acknowledged(baseOffset: 130))
        talk.isAppended(2, at: 130)
        talk.isDone()
    }

    @Test func `numbers that are given up are followed by an epoch that was never used`() {
        var rows = journal(1, firstSequence: 80)
        rows[0].settledOffset = 80
        let later = RecoveryAcknowledgement(
            topicID: topicID,
            producerID: 9,
            epoch: 0,
            sequence: 49,
            offset: 149
        )
        var talk = RecoveryTalk.started(rows, acknowledged: later) {
            $0.findsUnjournaled = true
            $0.endedBefore = beginning - .seconds(31)
        }
        // Records that were acknowledged are lost: what was settled is looked for.
        talk.remembers(remembered(29, epoch: 1), remembered(39, of: 9))
        #expect(talk.next() == .unsettled(row: 1))
        talk.reads(from: 80, end: 80, of: [7, 9], [])
        talk.isAbsent(1)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 2))
    }

    @Test func `records that the broker lost are reported, and the log is read`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers(remembered(89))
        talk.reads(from: 100, end: 100, [])
        #expect(talk.machine.report.lostRecords == 10)
        // Its number does not follow: it goes under the next epoch once nothing can be late.
        #expect(talk.machine.status == .waitingForLateRequests)
        talk.pass()
        talk.remembers(remembered(89))
        talk.isAbsent(1)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 1))
    }

    @Test func `settled batches that the broker lost are looked for as well`() {
        var rows = journal(3, firstSequence: 80)
        rows[0].settledOffset = 80
        rows[1].settledOffset = 90
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(89))
        // Their records have to be made again.
        #expect(talk.next() == .unsettled(row: 1))
        #expect(talk.next() == .unsettled(row: 2))
        talk.reads(from: 80, [logged(80, at: 80)])
        talk.isAppended(1, at: 80)
        // The second one was acknowledged and is gone.
        talk.sends(2, .acknowledged(baseOffset: 90))
        talk.isAppended(2, at: 90)
        talk.sends(3, .acknowledged(baseOffset: 100))
        talk.isAppended(3, at: 100)
        talk.isDone()
    }

    @Test func `what was settled in a topic that was made again is not looked for there`() {
        var rows = journal(2)
        rows[0].settledOffset = 100
        var talk = RecoveryTalk(rows)
        talk.lead(epoch: 0, topicID: TopicID(high: 2, low: 2))
        talk.isAbsent(2)
        talk.remembers()
        talk.isDone(successor: nil)
    }

    @Test func `a state that was lost after an acknowledgement has the log read`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers()
        talk.reads(from: 100, [logged(100, at: 100)])
        talk.isAppended(1, at: 100)
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `young batches of an id that never wrote here are missing`() {
        var talk = RecoveryTalk.started(journal(2, producerID: 8, firstSequence: 0))
        talk.remembers(remembered(99))
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test(
        arguments: [(2 * hour, 1000), (2 * hour, 2 * hour), (1000, 2 * hour)] as [(Int64, Int64)]
    )
    func `old batches of an id that never wrote here are looked for in the log`(
        age: Int64,
        stampAge: Int64
    ) {
        let rows = journal(1, producerID: 8, firstSequence: 0, age: age, stampAge: stampAge)
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(99))
        talk.reads(from: 100, of: [7, 8], [logged(0, at: 100, of: 8)])
        talk.isAppended(1, at: 100)
        talk.isDone()
    }

    @Test func `one old timestamp is enough for the broker to have forgotten all`() {
        var rows = journal(2, producerID: 8, firstSequence: 0)
        rows[1].maxTimestamp = wallClock - 30 * hour
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(99))
        talk.reads(from: 100, of: [7, 8], [logged(0, at: 100, of: 8), logged(10, at: 110, of: 8)])
        talk.isAppended(1, at: 100)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    // MARK: Several identities

    @Test func `what was numbered again under the next epoch is sent under it`() {
        let rows = journal(2, epoch: 1, firstSequence: 0)
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(99, epoch: 0))
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `what an earlier epoch had is looked for once the next one was written under`() {
        let rows = journal(1) + journal(1, epoch: 1, firstRow: 2, firstSequence: 0)
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(9, epoch: 1))
        talk.reads(from: 100, [logged(100, at: 100), logged(0, at: 110, epoch: 1)])
        talk.isAppended(1, at: 100)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `batches of a recovery that died are found before those that came later`() {
        let rows = journal(1) + journal(2, producerID: 8, firstRow: 2, firstSequence: 0)
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(109), remembered(19, of: 8))
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.answer(.highWatermark, .offset(130))
        talk.isAppended(1, at: 100)
        talk.sends(3, .acknowledged(baseOffset: 120))
        talk.answer(.highWatermark, .offset(130))
        talk.isAppended(2)
        talk.isAppended(3, at: 120)
        talk.isDone()
    }

    @Test func `the last batch of each id makes those of this id durable`() {
        let rows = journal(2) + journal(1, producerID: 8, firstRow: 3, firstSequence: 0)
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(119), remembered(9, of: 8))
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.answer(.highWatermark, .offset(130))
        talk.isAppended(1)
        talk.isAppended(2, at: 110)
        talk.sends(3, .acknowledged(baseOffset: 120))
        talk.isAppended(3, at: 120)
        talk.isDone()
    }
}
