import Glibc
import NIOCore
import Testing

@testable import Kafka

struct ConnectionErrorTests {
    @Test func `an error of the system is said in the kernel's own words`() {
        let error = IOError(errnoCode: ECONNREFUSED, reason: "connection reset (error set)")
        #expect(describe(error) == "Connection refused")
    }

    @Test func `parentheses are balanced in any other`() {
        let errors: [any Error] = [ChannelError.connectTimeout(.seconds(10)), ChannelError.eof]
        for text in errors.map(describe) {
            #expect(text.count { $0 == "(" } == text.count { $0 == ")" })
        }
    }
}
