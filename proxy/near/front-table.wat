;; Answers GETs from their bytes (front-table.ts): the keys are looked up in an index of four places a set, and the replies put side by side.
;; scripts/write-wasm-modules.ts puts it into front-table-wasm.ts.
(module
  ;; In the first 64 KiB: what clients have sent (16 KiB), what `answer` tells of itself ($ENDS) and of each GET that it has answered ($HITS, 512 of them, 16 bytes each),
  ;; and the replies, to which 15 bytes more may be written. Index and records lie behind them, as front-records.ts has it.
  (memory (export "memory") 1)
  (global $ENDS i32 (i32.const 0x4800))
  (global $HITS i32 (i32.const 0x4810))
  (global $REPLIES i32 (i32.const 0x6810))
  (global $REPLIES_END i32 (i32.const 0xfff0))

  ;; MurmurHash3_x86_32 of the $length bytes at $at.
  (func $hash (param $at i32) (param $length i32) (param $seed i32) (result i32)
    (local $hash i32) (local $whole i32) (local $rest i32)
    (local.set $hash (local.get $seed))
    (local.set $whole (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -4))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $whole)))
        (local.set $hash (i32.xor (local.get $hash) (call $mix (i32.load (local.get $at)))))
        (local.set $hash
          (i32.add (i32.mul (i32.rotl (local.get $hash) (i32.const 13)) (i32.const 5)) (i32.const 0xe6546b64)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $next)))
    (local.set $rest (i32.shl (i32.and (local.get $length) (i32.const 3)) (i32.const 3)))
    (if (local.get $rest)
      (then
        (local.set $hash
          (i32.xor
            (local.get $hash)
            (call $mix
              (i32.and
                (i32.load (local.get $at))
                (i32.sub (i32.shl (i32.const 1) (local.get $rest)) (i32.const 1))))))))
    (local.set $hash (i32.xor (local.get $hash) (local.get $length)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))
    (local.set $hash (i32.mul (local.get $hash) (i32.const 0x85ebca6b)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13))))
    (local.set $hash (i32.mul (local.get $hash) (i32.const 0xc2b2ae35)))
    (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))

  (func $mix (param $k i32) (result i32)
    (i32.mul
      (i32.rotl (i32.mul (local.get $k) (i32.const 0xcc9e2d51)) (i32.const 15))
      (i32.const 0x1b873593)))

  ;; The record of the only key with this hash that the set of four places at $set has; 0: none.
  (func $record (param $set i32) (param $hash i32) (result i32)
    (local $stop i32)
    (local.set $stop (i32.add (local.get $set) (i32.const 32)))
    (loop $next
      (if (i32.eq (i32.load (local.get $set)) (local.get $hash))
        (then
          (if (i32.load offset=4 (local.get $set))
            (then (return (i32.load offset=4 (local.get $set)))))))
      (local.set $set (i32.add (local.get $set) (i32.const 8)))
      (br_if $next (i32.ne (local.get $set) (local.get $stop))))
    (i32.const 0))

  ;; Answers up to $most GETs that lie one behind the other from $at on and are whole before $to, up to the first that is not known, or is anything else. $now: in
  ;; milliseconds modulo 2^32. $index: where it begins; $mask: sets in it, less one. Returns how many it has answered; where they and the replies end is at $ENDS.
  (func (export "answer")
    (param $at i32) (param $to i32) (param $most i32) (param $now i32) (param $seed i32) (param $index i32) (param $mask i32)
    (result i32)
    (local $count i32) (local $hit i32) (local $out i32) (local $stop i32)
    (local $length i32) (local $digit i32) (local $line i32) (local $key i32) (local $end i32)
    (local $hash i32) (local $record i32) (local $rest i32) (local $from i32) (local $with i32) (local $differs i64)
    (local.set $out (global.get $REPLIES))
    (local.set $hit (global.get $HITS))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $count) (local.get $most)))
        ;; *2, line end, $3, line end
        (br_if $done (i64.ne (i64.load (local.get $at)) (i64.const 0x0a0d33240a0d322a)))
        ;; GET in letters of any case, line end, $
        (br_if $done
          (i64.ne
            (i64.and (i64.load offset=8 (local.get $at)) (i64.const 0x0000ffffffdfdfdf))
            (i64.const 0x0000240a0d544547)))
        ;; One to three digits, no zero ahead of others.
        (local.set $length (i32.sub (i32.load8_u offset=14 (local.get $at)) (i32.const 48)))
        (br_if $done (i32.gt_u (local.get $length) (i32.const 9)))
        (local.set $line (i32.add (local.get $at) (i32.const 15)))
        (local.set $digit (i32.sub (i32.load8_u (local.get $line)) (i32.const 48)))
        (if (i32.le_u (local.get $digit) (i32.const 9))
          (then
            (br_if $done (i32.eqz (local.get $length)))
            (local.set $length (i32.add (i32.mul (local.get $length) (i32.const 10)) (local.get $digit)))
            (local.set $line (i32.add (local.get $line) (i32.const 1)))
            (local.set $digit (i32.sub (i32.load8_u (local.get $line)) (i32.const 48)))
            (if (i32.le_u (local.get $digit) (i32.const 9))
              (then
                (local.set $length (i32.add (i32.mul (local.get $length) (i32.const 10)) (local.get $digit)))
                (local.set $line (i32.add (local.get $line) (i32.const 1)))))))
        (br_if $done (i32.ne (i32.load16_u (local.get $line)) (i32.const 0x0a0d)))
        (local.set $key (i32.add (local.get $line) (i32.const 2)))
        (local.set $end (i32.add (local.get $key) (local.get $length)))
        (br_if $done (i32.gt_u (i32.add (local.get $end) (i32.const 2)) (local.get $to)))
        (br_if $done (i32.ne (i32.load16_u (local.get $end)) (i32.const 0x0a0d)))

        (local.set $hash (call $hash (local.get $key) (local.get $length) (local.get $seed)))
        (local.set $record
          (call $record
            (i32.add
              (local.get $index)
              (i32.shl (i32.and (local.get $hash) (local.get $mask)) (i32.const 5)))
            (local.get $hash)))
        (br_if $done (i32.eqz (local.get $record)))
        (br_if $done (i32.ne (i32.load16_u offset=12 (local.get $record)) (local.get $length)))
        (br_if $done (i32.le_s (i32.sub (i32.load offset=8 (local.get $record)) (local.get $now)) (i32.const 0)))
        (local.set $from (local.get $key))
        (local.set $with (i32.add (local.get $record) (i32.const 20)))
        (local.set $rest (local.get $length))
        (block $same
          (loop $word
            (br_if $same (i32.le_s (local.get $rest) (i32.const 0)))
            (local.set $differs (i64.xor (i64.load (local.get $from)) (i64.load (local.get $with))))
            (if (i32.lt_s (local.get $rest) (i32.const 8))
              (then
                (local.set $differs
                  (i64.shl
                    (local.get $differs)
                    (i64.extend_i32_u (i32.shl (i32.sub (i32.const 8) (local.get $rest)) (i32.const 3)))))))
            (br_if $done (i64.ne (local.get $differs) (i64.const 0)))
            (local.set $from (i32.add (local.get $from) (i32.const 8)))
            (local.set $with (i32.add (local.get $with) (i32.const 8)))
            (local.set $rest (i32.sub (local.get $rest) (i32.const 8)))
            (br $word)))

        (local.set $from (i32.add (i32.add (local.get $record) (i32.const 20)) (local.get $length)))
        (local.set $stop (i32.add (local.get $out) (i32.load offset=16 (local.get $record))))
        (br_if $done (i32.gt_u (local.get $stop) (global.get $REPLIES_END)))
        (loop $words
          (i64.store (local.get $out) (i64.load (local.get $from)))
          (i64.store offset=8 (local.get $out) (i64.load offset=8 (local.get $from)))
          (local.set $out (i32.add (local.get $out) (i32.const 16)))
          (local.set $from (i32.add (local.get $from) (i32.const 16)))
          (br_if $words (i32.lt_u (local.get $out) (local.get $stop))))
        (local.set $out (local.get $stop))
        (i32.store (local.get $hit) (local.get $hash))
        (i32.store offset=4 (local.get $hit) (local.get $key))
        (i32.store offset=8 (local.get $hit) (local.get $end))
        (i32.store offset=12 (local.get $hit) (i32.load16_u offset=14 (local.get $record)))
        (local.set $hit (i32.add (local.get $hit) (i32.const 16)))
        (local.set $at (i32.add (local.get $end) (i32.const 2)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (global.get $ENDS) (local.get $at))
    (i32.store offset=4 (global.get $ENDS) (local.get $out))
    (local.get $count))
)
