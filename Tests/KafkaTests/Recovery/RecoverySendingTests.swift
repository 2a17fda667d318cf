import KafkaProtocol
import Testing

@testable import Kafka

/// What is sent, and what is not, when things go on while they are found out.
@Suite struct RecoverySendingTests {
    @Test func `pieces with later rows go by their sequences before what was behind them`() {
        let pieces = journal(2, producerID: 8, firstRow: 8, firstSequence: .max - 9)
        let behind = journal(1, producerID: 8, firstSequence: 10)
        var talk = RecoveryTalk.started(behind + pieces)
        talk.remembers(remembered(99))
        for (row, offset) in [(8, 100), (9, 110), (1, 120)] as [(Int64, Int64)] {
            talk.sends(row, .acknowledged(baseOffset: offset))
            talk.isAppended(row, at: offset)
        }
        talk.isDone()
    }

    @Test func `a missing batch waits until it is made again`() {
        var talk = RecoveryTalk(journal(1))
        talk.lead(epoch: 3)
        talk.remembers(remembered(99))
        #expect(talk.next() == nil)
        #expect(talk.machine.status == .waitingForRecords(row: 1))
        talk.machine.made(row: 1)
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.isDone()
    }

    @Test func `an attempt that failed is repeated after the leader is asked again`() {
        var talk = RecoveryTalk.started(journal(1))
        talk.remembers(remembered(99))
        talk.sends(1, .failed(.notEnoughReplicasAfterAppend))
        talk.pass()
        talk.remembers(remembered(109))
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.isDone()
    }

    @Test func `a leader that changes while a batch is out is asked before the next one`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(99))
        #expect(talk.next() == .send(row: 1))
        talk.lead(epoch: 4)
        #expect(talk.next() == nil)
        talk.machine.sent(row: 1, .acknowledged(baseOffset: 100), now: talk.now)
        talk.isAppended(1, at: 100)
        talk.remembers(remembered(109))
        #expect(talk.next() == .send(row: 2))
    }

    @Test func `a new leader that appended a batch may never have had those before it`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(109))
        #expect(talk.next() == .send(row: 2))
        talk.lead(epoch: 4)
        talk.machine.sent(row: 2, .acknowledged(baseOffset: 100), now: talk.now)
        talk.remembers(remembered(119))
        talk.reads(from: 100, [logged(110, at: 100)])
        talk.isAppended(2, at: 100)
        // The sequence says that the first one was appended; the log says that it was not.
        talk.pass()
        talk.remembers(remembered(119))
        talk.reads(from: 110, end: 110, [])
        talk.isAbsent(1)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 1))
    }

    @Test func `a batch out of sequence has the log read`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(99))
        talk.sends(1, .refused(.outOfOrderSequenceNumber))
        talk.pass()
        talk.remembers(remembered(119))
        talk.reads(from: 100, [logged(100, at: 100), logged(110, at: 110)])
        talk.isAppended(1, at: 100)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test(
        arguments: [
            .outOfOrderSequenceNumber, .unknownProducerID, .invalidProducerEpoch,
        ] as [KafkaError]
    )
    func `numbers that are refused again are given up, as are those behind`(error: KafkaError) {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers()
        talk.reads(from: 100, end: 100, [])
        talk.sends(1, .refused(error))
        talk.pass()
        talk.remembers()
        talk.reads(from: 100, end: 100, [])
        talk.sends(1, .refused(error))
        talk.pass()
        talk.remembers()
        talk.reads(from: 100, end: 100, [])
        talk.isAbsent(1)
        talk.isAbsent(2)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 1))
    }

    @Test func `a missing batch that is refused for its size goes on as new records`() {
        var talk = RecoveryTalk.started(journal(3))
        talk.remembers(remembered(99))
        talk.sends(1, .acknowledged(baseOffset: 100))
        talk.isAppended(1, at: 100)
        talk.sends(2, .refused(.messageTooLarge))
        talk.pass()
        talk.remembers(remembered(109))
        talk.isAbsent(2)
        talk.isAbsent(3)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 1))
        #expect(talk.machine.report.absentRecords == 20)
    }

    @Test func `sizes are looked at before duplicates are, so the log is read`() {
        var talk = RecoveryTalk.started(journal(2))
        talk.remembers(remembered(119))
        talk.sends(2, .refused(.messageTooLarge))
        talk.remembers(remembered(119))
        talk.reads(from: 100, [logged(100, at: 100), logged(110, at: 110)])
        talk.isAppended(1, at: 100)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    // MARK: What cannot be made again

    @Test func `a last batch that cannot be made again is read in the log`() {
        var talk = RecoveryTalk(journal(2))
        talk.lead(epoch: 3)
        talk.machine.made(row: 1)
        talk.machine.cannotMake(row: 2, now: talk.now)
        talk.remembers(remembered(119))
        talk.reads(from: 100, [logged(100, at: 100), logged(110, at: 110)])
        talk.isAppended(1, at: 100)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `a missing batch that cannot be made again holds nothing up`() {
        var talk = RecoveryTalk(journal(2))
        talk.lead(epoch: 3)
        talk.machine.made(row: 2)
        talk.remembers(remembered(99))
        #expect(talk.next() == nil)
        talk.machine.cannotMake(row: 1, now: talk.now)
        #expect(talk.machine.status == .waitingForLateRequests)
        talk.pass()
        // Its request was late: it is in the log after all.
        talk.remembers(remembered(109))
        talk.sends(2, .acknowledged(baseOffset: 110))
        talk.answer(.highWatermark, .offset(120))
        talk.isAppended(1)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `a missing batch that cannot be made again is missing in the end`() {
        var talk = RecoveryTalk(journal(2))
        talk.lead(epoch: 3)
        talk.machine.cannotMake(row: 1, now: talk.now)
        talk.machine.made(row: 2)
        talk.remembers(remembered(99))
        talk.pass()
        talk.remembers(remembered(99))
        talk.isAbsent(1)
        talk.isAbsent(2)
        talk.isDone(successor: ProducerIdentity(id: 7, epoch: 1))
    }

    // MARK: Old timestamps

    @Test func `what is about to be forgotten is not sent again but read`() {
        let rows = journal(2, stampAge: 30 * hour)
        var talk = RecoveryTalk.started(rows)
        talk.remembers(remembered(119, age: 30 * hour))
        talk.reads(from: 100, [logged(100, at: 100), logged(110, at: 110)])
        talk.isAppended(1, at: 100)
        talk.isAppended(2, at: 110)
        talk.isDone()
    }

    @Test func `a missing batch with old timestamps waits for requests that are late`() {
        var talk = RecoveryTalk.started(journal(1, stampAge: 30 * hour))
        talk.remembers(remembered(99))
        #expect(talk.machine.status == .waitingForLateRequests)
        talk.pass()
        talk.remembers()
        talk.reads(from: 100, [logged(100, at: 100)])
        talk.isAppended(1, at: 100)
        talk.isDone()
    }
}
