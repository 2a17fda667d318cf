internal import KafkaProtocol
package import NIOCore

/// The conversation on one connection: versions are agreed on, the client logs in if it has to, then
/// each request gets its answer.
///
/// A broker answers in the order of the requests. An answer that is out of order, does not read as
/// what was asked for, or does not come in time ends the connection; so bad bytes never get further.
package struct ConnectionStateMachine {
    package enum Action: Equatable {
        /// Pieces that belong together, to be flushed once.
        case write([ByteBuffer])
        case ready
        case answered(RequestID, ProducerAnswer)
        /// What the client logs in with is to be told.
        case getCredentials
        case close(reason: String)
        /// The broker does not let the client in, or is not the one that it should be.
        case refuse(reason: String)
    }

    enum State {
        case connecting, negotiating
        case authenticating(Wire.Versions)
        case ready(Wire.Versions)
        case closed
    }

    /// A request on its way.
    private struct Pending {
        enum Purpose {
            case versions(Int16)
            case handshake, authentication
            case request(ProducerRequest, RequestID)
        }

        let correlationID: Int32
        let purpose: Purpose
        let deadline: ContinuousClock.Instant
    }

    let configuration: KafkaProducerConfiguration
    private let setupTimeout: Duration
    var state = State.connecting
    var authentication = Authentication()
    var generator: SeededGenerator
    var actions = CircularBuffer<Action>()
    private var pending = CircularBuffer<Pending>()
    /// Requests that wait until the client has logged in anew.
    private var held = CircularBuffer<(ProducerRequest, RequestID)>()
    private var lastCorrelationID: Int32 = 0
    private var setupDeadline: ContinuousClock.Instant?
    private var hasAnswered = false

    /// - Parameters:
    ///   - configuration: What to say, and how long to wait for answers.
    ///   - setupTimeout: How long it may take to agree on TLS; nil for the configuration's.
    ///   - seed: Spreads in time what many connections would do at once.
    package init(
        configuration: KafkaProducerConfiguration,
        setupTimeout: Duration? = nil,
        seed: UInt64 = 0
    ) {
        self.configuration = configuration
        self.setupTimeout = setupTimeout ?? configuration.connectionSetupTimeout
        self.generator = SeededGenerator(seed: seed)
    }

    /// Tells that the broker accepted the connection, which is to be encrypted now.
    package mutating func connected(now: ContinuousClock.Instant) {
        guard case .connecting = self.state else { return }
        self.setupDeadline = now + self.setupTimeout
    }

    /// Tells that the connection can be used.
    package mutating func opened(now: ContinuousClock.Instant) {
        guard case .connecting = self.state else { return }
        self.setupDeadline = nil
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
        guard !self.authentication.holdsRequests else { return self.held.append((request, id)) }
        if let answer = Wire.answerOfOldBroker(to: request, versions: versions) {
            return self.actions.append(.answered(id, answer))
        }
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
            case .handshake: try self.receivedHandshake(frame, now: now)
            case .authentication: try self.receivedAuthentication(frame, now: now)
            case .request(let request, let id): try self.receivedAnswer(frame, to: request, id)
            }
        } catch {
            self.close("its answer does not read: \(error)")
        }
    }

    /// Tells that the broker ended the connection.
    package mutating func ended(_ how: String = "the broker closed the connection") {
        if case .closed = self.state { return }
        self.close(how + self.meaningOfEnd)
    }

    /// Tells that the deadline came.
    package mutating func timePassed(now: ContinuousClock.Instant) {
        if let deadline = self.pending.first?.deadline, deadline <= now {
            self.close("no answer within \(self.configuration.requestTimeout)")
        } else if let deadline = self.setupDeadline, deadline <= now {
            self.close("no TLS within \(self.setupTimeout)")
        } else if let deadline = self.authentication.deadline, deadline <= now {
            self.authenticationIsDue(now: now)
        }
    }

    /// When a request will have waited too long, or the client has to log in anew.
    package var nextDeadline: ContinuousClock.Instant? {
        if case .closed = self.state { return nil }
        let deadlines = [
            self.pending.first?.deadline, self.setupDeadline, self.authentication.deadline,
        ]
        return deadlines.compactMap(\.self).min()
    }

    /// What is likely to be wrong when the broker ends the connection at this point.
    private var meaningOfEnd: String {
        let settings = self.configuration.securityProtocol
        return switch self.state {
        case .connecting where settings.usesTLS:
            " before TLS was agreed on: is the port for TLS (security.protocol)?"
        case .negotiating where settings.usesTLS:
            " at the first request: does it want a certificate (ssl.certificate.location)?"
        case .negotiating: " at the first request: is the port for TLS (security.protocol)?"
        case .authenticating: " while the client logged in"
        case .ready where !self.hasAnswered && !settings.usesSASL:
            " before it answered: is the port for SASL (security.protocol)?"
        default: ""
        }
    }

    /// What the broker can do for transactions, once the connection is ready; nil for nothing.
    package var transactionSupport: TransactionSupport? {
        if case .ready(let versions) = self.state { versions.transactions?.support } else { nil }
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
            guard self.configuration.securityProtocol.usesSASL else {
                self.state = .ready(versions)
                return self.actions.append(.ready)
            }
            self.state = .authenticating(versions)
            self.askForCredentials(now: now)
        }
    }

    private mutating func receivedAnswer(
        _ frame: ByteBuffer,
        to request: ProducerRequest,
        _ id: RequestID
    ) throws {
        guard case .ready(let versions) = self.state else { return }
        let answer = try Wire.decode(frame, to: request, versions: versions)
        self.hasAnswered = true
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

    /// Sends a message of the login.
    mutating func sendToLogIn<Request: KafkaRequest>(
        _ request: Request,
        version: Int16,
        now: ContinuousClock.Instant
    ) {
        let correlationID = self.nextCorrelationID()
        do {
            let pieces = try request.frame(
                version: version,
                correlationID: correlationID,
                clientID: self.configuration.clientID
            )
            self.actions.append(.write(pieces))
        } catch {
            return self.close("a request could not be written: \(error)")
        }
        let isHandshake = Request.apiKey == .saslHandshake
        self.expectAnswer(isHandshake ? .handshake : .authentication, correlationID, now: now)
    }

    /// Sends what waited for the login.
    mutating func sendHeld(now: ContinuousClock.Instant) {
        while let (request, id) = self.held.popFirst() { self.send(request, id: id, now: now) }
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

    mutating func close(_ reason: String) {
        self.state = .closed
        self.authentication.phase = .unneeded
        self.pending.removeAll()
        self.held.removeAll()
        self.actions.append(.close(reason: reason))
    }

    mutating func refuse(_ reason: String) {
        self.close(reason)
        self.actions.removeLast()
        self.actions.append(.refuse(reason: reason))
    }
}
