internal import FoundationEssentials
internal import KafkaProtocol
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// A server that gives tokens for a client's id and secret (RFC 6749, section 4.4).
///
/// Safe to share: after it is made, everything runs on the producer's event loop.
final class TokenEndpoint: @unchecked Sendable {
    typealias Completion = (Result<OAuthBearerToken, KafkaProducerError>) -> Void

    private let address: HTTPSAddress
    private let settings: OAuthBearerSettings
    private let timeout: Duration
    private let eventLoop: any EventLoop
    private let contexts: TLSContexts

    init(
        _ address: HTTPSAddress,
        _ settings: OAuthBearerSettings,
        timeout: Duration,
        eventLoop: any EventLoop
    ) throws(KafkaProducerError) {
        self.address = address
        self.settings = settings
        self.timeout = timeout
        self.eventLoop = eventLoop
        var tls = TLSSettings()
        tls.caLocation = settings.caLocation
        self.contexts = try TLSContexts(tls, caProperty: "https.ca.location")
    }

    /// Asks for a token.
    func getToken(_ completion: @escaping Completion) {
        do throws(KafkaProducerError) {
            let secret = try read(
                self.settings.clientSecret,
                property: "sasl.oauthbearer.client.secret"
            )
            self.post(self.makeRequest(secret), secret, try self.contexts.context(), completion)
        } catch {
            completion(.failure(error))
        }
    }

    private func makeRequest(_ secret: Secret) -> TokenRequest {
        TokenRequest(
            address: self.address,
            clientID: self.settings.clientID ?? "",
            clientSecret: secret,
            scope: self.settings.scope,
            encodesHeader: self.settings.encodesHeader
        )
    }

    private func post(
        _ request: TokenRequest,
        _ secret: Secret,
        _ context: NIOSSLContext,
        _ completion: @escaping Completion
    ) {
        let tls = TLSClient(host: self.address.host)
        let exchange = TokenExchange(request) { outcome in
            completion(self.result(of: outcome, secret, tls))
        }
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(self.timeout)) {
            exchange.fail("no answer within \(self.timeout)")
        }
        exchange.timer = timer
        ClientBootstrap(group: self.eventLoop)
            .connectTimeout(TimeAmount(self.timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(tls.makeHandler(context))
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(exchange)
                }
            }
            .connect(host: self.address.host, port: self.address.port)
            .whenFailure { exchange.fail(describe($0)) }
    }

    private func result(
        of outcome: TokenExchange.Outcome,
        _ secret: Secret,
        _ tls: TLSClient
    ) -> Result<OAuthBearerToken, KafkaProducerError> {
        switch outcome {
        case .answered(let status, let body):
            return TokenAnswer.token(status: status, body: body, at: self.address.host, secret)
        case .failed(let reason): return .failure(self.error(reason))
        case .threw(let error):
            let (reason, _) = tls.describe(error, now: wallClockSeconds())
            // The words are for brokers, and for their properties.
            let text = reason.replacing("the broker", with: "the endpoint")
                .replacing("ssl.ca.location", with: "https.ca.location")
            return .failure(self.error(text))
        }
    }

    private func error(_ reason: String) -> KafkaProducerError {
        .configuration("there is no token from \(self.address.authority): \(reason)")
    }
}

/// One request for a token on a connection of its own.
private final class TokenExchange: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    enum Outcome {
        case answered(status: Int, body: [UInt8])
        case failed(String)
        case threw(any Error)
    }

    private static let answerLimit = 1 << 20

    private let request: TokenRequest
    private var completion: ((Outcome) -> Void)?
    private var context: ChannelHandlerContext?
    private var status = 0
    private var body: [UInt8] = []
    var timer: Scheduled<Void>?

    init(_ request: TokenRequest, _ completion: @escaping (Outcome) -> Void) {
        self.request = request
        self.completion = completion
    }

    func fail(_ reason: String) { self.end(.failed(reason)) }

    func channelActive(context: ChannelHandlerContext) {
        guard self.completion != nil else { return context.close(promise: nil) }
        self.context = context
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: self.request.target)
        for (name, value) in self.request.headers { head.headers.add(name: name, value: value) }
        let body = ByteBuffer(bytes: self.request.body)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head): self.status = Int(head.status.code)
        case .body(let part):
            self.body += part.readableBytesView
            if self.body.count > Self.answerLimit { self.fail("its answer is too long") }
        case .end: self.end(.answered(status: self.status, body: self.body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.fail("it closed the connection") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.end(.threw(error)) }

    private func end(_ outcome: Outcome) {
        guard let completion = self.completion else { return }
        self.completion = nil
        self.timer?.cancel()
        self.context?.close(promise: nil)
        self.context = nil
        completion(outcome)
    }
}

/// What the endpoint answered.
private struct TokenAnswer: Decodable {
    private struct Refusal: Decodable {
        var error: String
        var error_description: String?
    }

    var access_token: String
    var token_type: String?
    var expires_in: Double?

    static func token(
        status: Int,
        body: [UInt8],
        at host: String,
        _ secret: Secret
    ) -> Result<OAuthBearerToken, KafkaProducerError> {
        let data = Data(body)
        guard status == 200 else {
            let refusal = try? JSONDecoder().decode(Refusal.self, from: data)
            let said = [refusal?.error, refusal?.error_description].compactMap(\.self)
            let reason =
                said.isEmpty ? "" : ": " + secret.redacted(in: said.joined(separator: ", "))
            return .failure(.configuration("\(host) gave no token, but \(status)\(reason)"))
        }
        guard let answer = try? JSONDecoder().decode(TokenAnswer.self, from: data),
            !answer.access_token.isEmpty,
            answer.access_token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return .failure(.configuration("the answer of \(host) holds no access_token")) }
        let lifetime = answer.expires_in.flatMap { seconds in
            (1...315_360_000).contains(seconds) ? Duration.seconds(Int64(seconds)) : nil
        }
        return .success(OAuthBearerToken(Secret(answer.access_token), lifetime: lifetime))
    }
}
