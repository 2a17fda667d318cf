internal import KafkaProtocol
package import NIOCore

/// The conversation on one connection: versions are agreed on, then each request gets its answer.
///
/// A broker answers in the order of the requests. An answer that is out of order, does not read as
/// what was asked for, or does not come in time ends the connection; so bad bytes never get further.
package struct ConnectionStateMachine {
    package enum Action: Equatable {
        /// Pieces that belong together, to be flushed once.
        case write([ByteBuffer])
        case ready
        case answered(RequestID, ProducerAnswer)
        case close(reason: String)
    }

    private enum State {
        case connecting, negotiating
        case ready(Wire.Versions)
        case closed
    }

    /// A request on its way.
    private struct Pending {
        enum Purpose {
            case versions(Int16)
            case request(ProducerRequest, RequestID)
        }

        let correlationID: Int32
        let purpose: Purpose
        let deadline: ContinuousClock.Instant
    }

    private let configuration: KafkaProducerConfiguration
    private var state = State.connecting
    private var pending = CircularBuffer<Pending>()
    private var actions = CircularBuffer<Action>()
    private var lastCorrelationID: Int32 = 0

    package init(configuration: KafkaProducerConfiguration) {
        self.configuration = configuration
    }

    /// Tells that the broker accepted the connection.
    package mutating func opened(now: ContinuousClock.Instant) {
        guard case .connecting = self.state else { return }
        self.state = .negotiating
        self.askForVersions(Wire.newestApiVersions, now: now)
    }

    /// Sends a request on a connection that is ready.
    package mutating func send(
        _ request: ProducerRequest,
        id: RequestID,
        now: ContinuousClock.Instant
    ) {
        guard case .ready(let versions) = self.state else { return }
        let correlationID = self.nextCorrelationID()
        do {
            let pieces = try Wire.encode(
                request,
                versions: versions,
                correlationID: correlationID,
                configuration: self.configuration
            )
            self.actions.append(.write(pieces))
        } catch {
            return self.close("a request could not be written: \(error)")
        }
        if case .produce(let batches) = request, self.configuration.acknowledgements == .none {
            // No answer comes with acks=0.
            return self.actions.append(.answered(id, .produce(Wire.unacknowledged(batches))))
        }
        self.expectAnswer(.request(request, id), correlationID, now: now)
    }

    /// Tells of a whole answer.
    package mutating func received(_ frame: ByteBuffer, now: ContinuousClock.Instant) {
        if case .closed = self.state { return }
        guard let pending = self.pending.popFirst() else {
            return self.close("it answered what was not asked")
        }
        let correlationID: Int32? = frame.getInteger(at: frame.readerIndex)
        guard correlationID == pending.correlationID else {
            return self.close("it answered out of order")
        }
        do {
            switch pending.purpose {
            case .versions(let asked): try self.receivedVersions(frame, asked: asked, now: now)
            case .request(let request, let id): try self.receivedAnswer(frame, to: request, id)
            }
        } catch {
            self.close("its answer does not read: \(error)")
        }
    }

    /// Tells that the deadline came.
    package mutating func timePassed(now: ContinuousClock.Instant) {
        guard let deadline = self.nextDeadline, deadline <= now else { return }
        self.close("no answer within \(self.configuration.requestTimeout)")
    }

    /// When the oldest request will have waited too long.
    package var nextDeadline: ContinuousClock.Instant? {
        self.pending.first?.deadline
    }

    package mutating func nextAction() -> Action? {
        self.actions.popFirst()
    }

    private mutating func receivedVersions(
        _ frame: ByteBuffer,
        asked: Int16,
        now: ContinuousClock.Instant
    ) throws {
        switch try Wire.decodeVersions(
            frame,
            asked: asked,
            configuration: self.configuration
        ) {
        case .retry(let version) where version >= 0:
            self.askForVersions(version, now: now)
        case .retry: self.close("it refuses every version of ApiVersions")
        case .refused(let reason): self.close(reason)
        case .versions(let versions):
            self.state = .ready(versions)
            self.actions.append(.ready)
        }
    }

    private mutating func receivedAnswer(
        _ frame: ByteBuffer,
        to request: ProducerRequest,
        _ id: RequestID
    ) throws {
        guard case .ready(let versions) = self.state else { return }
        let answer = try Wire.decode(frame, to: request, versions: versions)
        self.actions.append(.answered(id, answer))
    }

    private mutating func askForVersions(_ version: Int16, now: ContinuousClock.Instant) {
        let correlationID = self.nextCorrelationID()
        do {
            let pieces = try Wire.encodeVersionsRequest(
                version: version,
                correlationID: correlationID,
                clientID: self.configuration.clientID
            )
            self.actions.append(.write(pieces))
            self.expectAnswer(.versions(version), correlationID, now: now)
        } catch {
            self.close("a request could not be written: \(error)")
        }
    }

    private mutating func expectAnswer(
        _ purpose: Pending.Purpose,
        _ correlationID: Int32,
        now: ContinuousClock.Instant
    ) {
        let deadline = now + self.configuration.requestTimeout
        let pending = Pending(correlationID: correlationID, purpose: purpose, deadline: deadline)
        self.pending.append(pending)
    }

    private mutating func nextCorrelationID() -> Int32 {
        self.lastCorrelationID = (self.lastCorrelationID &+ 1) & .max
        return self.lastCorrelationID
    }

    private mutating func close(_ reason: String) {
        self.state = .closed
        self.pending.removeAll()
        self.actions.append(.close(reason: reason))
    }
}
