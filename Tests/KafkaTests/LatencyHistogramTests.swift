import Testing

@testable import Kafka

struct LatencyHistogramTests {
    @Test func `no latency has no percentile`() {
        #expect(LatencyHistogram().percentile(0.99, now: beginning) == nil)
    }

    @Test func `up to 15 microseconds are exact`() {
        var histogram = LatencyHistogram()
        for value in 1...10 { histogram.record(.microseconds(value), now: beginning) }
        #expect(histogram.percentile(0.5, now: beginning) == .microseconds(5))
        #expect(histogram.percentile(0.9, now: beginning) == .microseconds(9))
        #expect(histogram.percentile(1, now: beginning) == .microseconds(10))
        #expect(histogram.percentile(0, now: beginning) == .microseconds(1))
    }

    @Test(arguments: [16, 31, 32, 1000, 4095, 4096, 65_537, 1_000_000, 4_000_000_000])
    func `a percentile is never too low and at most a sixteenth too high`(microseconds: Int64)
        throws
    {
        var histogram = LatencyHistogram()
        histogram.record(.microseconds(microseconds), now: beginning)
        let found = try #require(histogram.percentile(0.99, now: beginning))
        #expect(found >= .microseconds(microseconds))
        #expect(found <= .microseconds(microseconds + microseconds / 16))
    }

    @Test func `one in a hundred that is slow is the p99, one in two hundred is not`() {
        var histogram = LatencyHistogram()
        for _ in 0..<198 { histogram.record(.microseconds(10), now: beginning) }
        histogram.record(.seconds(2), now: beginning)
        #expect(histogram.percentile(0.99, now: beginning) == .microseconds(10))
        histogram.record(.seconds(2), now: beginning)
        histogram.record(.seconds(2), now: beginning)
        #expect((histogram.percentile(0.99, now: beginning) ?? .zero) >= .seconds(2))
    }

    @Test func `what cannot be is counted at the ends`() {
        var histogram = LatencyHistogram()
        histogram.record(.seconds(-1), now: beginning)
        #expect(histogram.percentile(1, now: beginning) == .zero)
        histogram.record(.seconds(1_000_000), now: beginning)
        #expect(histogram.percentile(1, now: beginning) == .microseconds((1 << 32) - 1))
    }

    @Test func `what is older than a minute is forgotten`() {
        var histogram = LatencyHistogram()
        histogram.record(.microseconds(9), now: beginning)
        histogram.record(.microseconds(3), now: beginning + .seconds(30))
        #expect(histogram.percentile(1, now: beginning + .seconds(59)) == .microseconds(9))
        #expect(histogram.percentile(1, now: beginning + .seconds(60)) == .microseconds(3))
        #expect(histogram.percentile(1, now: beginning + .seconds(90)) == nil)
        histogram.record(.microseconds(5), now: beginning + .seconds(90))
        #expect(histogram.percentile(0, now: beginning + .seconds(90)) == .microseconds(5))
    }
}
