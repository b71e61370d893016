;; Sorts the keys of a command, or of GETs or SETs one behind the other, by the shard that owns them (key-sorter.ts): MurmurHash3_x64_128 with seed 0, as murmur3.ts has it (WebAssembly multiplies 64 bits by
;; 64, JavaScript does not), and the search among the points of a ring, as points.ts has it.
;; scripts/write-wasm-modules.ts puts it into key-sorter-wasm.ts.
(module
  ;; Of 64 KiB each: the arguments as they travel from 0 on, bodies of the parts from $BODIES on, then for each key its part (16 bits, $PLACES) and where it ends
  ;; ($ENDS). What belongs to the ring lies behind them.
  (memory (export "memory") 5)
  (global $BODIES i32 (i32.const 0x20000))
  (global $PLACES i32 (i32.const 0x48000))
  (global $ENDS i32 (i32.const 0x4a000))

  (func $mix1 (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x87c37b91114253d5)) (i64.const 31))
      (i64.const 0x4cf5ad432745937f)))

  (func $mix2 (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x4cf5ad432745937f)) (i64.const 33))
      (i64.const 0x87c37b91114253d5)))

  (func $fmix64 (param $k i64) (result i64)
    (local.set $k (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))
    (local.set $k (i64.mul (local.get $k) (i64.const 0xff51afd7ed558ccd)))
    (local.set $k (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))
    (local.set $k (i64.mul (local.get $k) (i64.const 0xc4ceb9fe1a85ec53)))
    (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))

  ;; The $count bytes at $at, up to eight, little-endian.
  (func $tail (param $at i32) (param $count i32) (result i64)
    (if (result i64) (i32.eqz (local.get $count))
      (then (i64.const 0))
      (else
        (i64.and
          (i64.load (local.get $at))
          (i64.shr_u
            (i64.const -1)
            (i64.extend_i32_u (i32.shl (i32.sub (i32.const 8) (local.get $count)) (i32.const 3))))))))

  ;; The first 64 bits of the hash of the $length bytes at $at.
  (func $hash (param $at i32) (param $length i32) (result i64)
    (local $h1 i64) (local $h2 i64) (local $rest i32)
    (local.set $rest (local.get $length))
    (block $done
      (loop $next
        (br_if $done (i32.lt_u (local.get $rest) (i32.const 16)))
        (local.set $h1 (i64.rotl (i64.xor (local.get $h1) (call $mix1 (i64.load (local.get $at)))) (i64.const 27)))
        (local.set $h1 (i64.add (local.get $h1) (local.get $h2)))
        (local.set $h1 (i64.add (i64.mul (local.get $h1) (i64.const 5)) (i64.const 0x52dce729)))
        (local.set $h2 (i64.rotl (i64.xor (local.get $h2) (call $mix2 (i64.load offset=8 (local.get $at)))) (i64.const 31)))
        (local.set $h2 (i64.add (local.get $h2) (local.get $h1)))
        (local.set $h2 (i64.add (i64.mul (local.get $h2) (i64.const 5)) (i64.const 0x38495ab5)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $rest (i32.sub (local.get $rest) (i32.const 16)))
        (br $next)))
    (if (i32.gt_u (local.get $rest) (i32.const 8))
      (then
        (local.set $h1 (i64.xor (local.get $h1) (call $mix1 (i64.load (local.get $at)))))
        (local.set $h2
          (i64.xor
            (local.get $h2)
            (call $mix2
              (call $tail (i32.add (local.get $at) (i32.const 8)) (i32.sub (local.get $rest) (i32.const 8)))))))
      (else
        (local.set $h1 (i64.xor (local.get $h1) (call $mix1 (call $tail (local.get $at) (local.get $rest)))))))
    (local.set $h1 (i64.xor (local.get $h1) (i64.extend_i32_u (local.get $length))))
    (local.set $h2 (i64.xor (local.get $h2) (i64.extend_i32_u (local.get $length))))
    (local.set $h1 (i64.add (local.get $h1) (local.get $h2)))
    (local.set $h2 (i64.add (local.get $h2) (local.get $h1)))
    (i64.add (call $fmix64 (local.get $h1)) (call $fmix64 (local.get $h2))))

  ;; Where the bytes of the argument begin whose length line is at $at: its length is in $length then.
  (global $length (mut i32) (i32.const 0))
  (func $bytes (param $at i32) (result i32)
    (local $digit i32) (local $sum i32)
    (block $done
      (loop $next
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 10)) (local.get $digit)))
        (br $next)))
    (global.set $length (local.get $sum))
    (i32.add (local.get $at) (i32.const 2)))

  ;; The first of the $count positions (64 bits each) at $positions that is not below $hash, from what $firsts has for its top bits on; 0: all are.
  (func $find (param $hash i64) (param $shift i64) (param $firsts i32) (param $positions i32) (param $count i32) (result i32)
    (local $i i32)
    (local.set $i
      (i32.load
        (i32.add
          (local.get $firsts)
          (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $hash) (local.get $shift))) (i32.const 2)))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (br_if $done
          (i64.ge_u
            (i64.load (i32.add (local.get $positions) (i32.shl (local.get $i) (i32.const 3))))
            (local.get $hash)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (select (i32.const 0) (local.get $i) (i32.eq (local.get $i) (local.get $count))))

  ;; Whether there is a brace from $at to $end.
  (func $hasBrace (param $at i32) (param $end i32) (result i32)
    (local $word i64)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $word (i64.xor (i64.load (local.get $at)) (i64.const 0x7b7b7b7b7b7b7b7b)))
        ;; What lies behind the end is none.
        (if (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 8))
          (then
            (local.set $word
              (i64.or
                (local.get $word)
                (i64.shl
                  (i64.const -1)
                  (i64.extend_i32_u
                    (i32.shl (i32.sub (local.get $end) (local.get $at)) (i32.const 3))))))))
        (if
          (i64.ne
            (i64.and
              (i64.and
                (i64.sub (local.get $word) (i64.const 0x0101010101010101))
                (i64.xor (local.get $word) (i64.const -1)))
              (i64.const 0x8080808080808080))
            (i64.const 0))
          (then (return (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $next)))
    (i32.const 0))

  ;; Behind the bulk string of fewer than 1,000 bytes at $at, which begin at $text then; 0 when there is none, or it is not whole by $to.
  (global $text (mut i32) (i32.const 0))
  (func $bulk (param $at i32) (param $to i32) (result i32)
    (local $digit i32) (local $digits i32) (local $length i32)
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x24)) (then (return (i32.const 0))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (block $read
      (loop $more
        (local.set $digit (i32.sub (i32.load8_u (i32.add (local.get $at) (local.get $digits))) (i32.const 48)))
        (br_if $read (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $length (i32.add (i32.mul (local.get $length) (i32.const 10)) (local.get $digit)))
        (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $digits) (i32.const 4)))))
    ;; One digit at least, and three at most; none before others is 0.
    (if (i32.gt_u (i32.sub (local.get $digits) (i32.const 1)) (i32.const 2)) (then (return (i32.const 0))))
    (if
      (i32.and
        (i32.gt_u (local.get $digits) (i32.const 1))
        (i32.eq (i32.load8_u (local.get $at)) (i32.const 48)))
      (then (return (i32.const 0))))
    (local.set $at (i32.add (local.get $at) (local.get $digits)))
    (if (i32.ne (i32.load16_u (local.get $at)) (i32.const 0x0a0d)) (then (return (i32.const 0))))
    (global.set $text (i32.add (local.get $at) (i32.const 2)))
    (local.set $at (i32.add (i32.add (global.get $text) (local.get $length)) (i32.const 2)))
    (if (i32.gt_u (local.get $at) (local.get $to)) (then (return (i32.const 0))))
    (if
      (i32.ne (i32.load16_u (i32.sub (local.get $at) (i32.const 2))) (i32.const 0x0a0d))
      (then (return (i32.const 0))))
    (local.get $at))

  ;; How many commands the first $to bytes are, one behind the other and whole, each of $args short arguments behind its name: GET of one, or SET of two. 0: there is
  ;; something else among them, or a key with a brace when $tags is not 0.
  (func (export "countCommands") (param $to i32) (param $args i32) (param $tags i32) (result i32)
    (local $at i32) (local $end i32) (local $left i32) (local $count i32) (local $head i64) (local $name i32)
    ;; `*2` and `$3`, or `*3` and `$3`; the name, which may come in small letters, and the end of its line but for the last byte.
    (local.set $head
      (select
        (i64.const 0x0a0d33240a0d322a)
        (i64.const 0x0a0d33240a0d332a)
        (i32.eq (local.get $args) (i32.const 1))))
    (local.set $name
      (select (i32.const 0x0d544547) (i32.const 0x0d544553) (i32.eq (local.get $args) (i32.const 1))))
    (loop $next
      (if (i32.gt_u (i32.add (local.get $at) (i32.const 19)) (local.get $to)) (then (return (i32.const 0))))
      (if (i64.ne (i64.load (local.get $at)) (local.get $head)) (then (return (i32.const 0))))
      (if
        (i32.ne (i32.and (i32.load offset=8 (local.get $at)) (i32.const 0xffdfdfdf)) (local.get $name))
        (then (return (i32.const 0))))
      (if (i32.ne (i32.load8_u offset=12 (local.get $at)) (i32.const 0x0a)) (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 13)))
      (local.set $left (local.get $args))
      (loop $arg
        (local.set $end (call $bulk (local.get $at) (local.get $to)))
        (if (i32.eqz (local.get $end)) (then (return (i32.const 0))))
        (if (i32.and (local.get $tags) (i32.eq (local.get $left) (local.get $args)))
          (then
            (if (call $hasBrace (global.get $text) (i32.sub (local.get $end) (i32.const 2))) (then (return (i32.const 0))))))
        (local.set $at (local.get $end))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $arg (local.get $left)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $to))))
    (local.get $count))

  ;; Finds the part of each of $count keys, each behind $head bytes that are no part of it and followed by $step - 1 arguments. $shift, $firsts, $positions and $points: as $find has them; $owners: the shard of each
  ;; point, 16 bits; $placeOf: 16 bits for each shard, all 0; $parts: gets, for each part, its shard, how many keys it has, their bytes with what follows them, and room
  ;; for where they are put; 32 bits each. Returns how many parts there are. With no $points there is one shard alone.
  (func (export "sort")
    (param $count i32) (param $head i32) (param $step i32) (param $shift i32)
    (param $firsts i32) (param $positions i32) (param $points i32) (param $owners i32) (param $placeOf i32) (param $parts i32)
    (result i32)
    (local $i i32) (local $at i32) (local $begin i32) (local $rest i32) (local $key i32) (local $length i32)
    (local $shard i32) (local $place i32) (local $part i32) (local $found i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (local.set $begin (i32.add (local.get $at) (local.get $head)))
        (local.set $key (call $bytes (local.get $begin)))
        (local.set $length (global.get $length))
        (local.set $at (i32.add (i32.add (local.get $key) (local.get $length)) (i32.const 2)))
        (local.set $rest (i32.sub (local.get $step) (i32.const 1)))
        (block $behind
          (loop $skip
            (br_if $behind (i32.eqz (local.get $rest)))
            (local.set $at (call $bytes (local.get $at)))
            (local.set $at (i32.add (i32.add (local.get $at) (global.get $length)) (i32.const 2)))
            (local.set $rest (i32.sub (local.get $rest) (i32.const 1)))
            (br $skip)))
        (if (local.get $points)
          (then
            (local.set $shard
              (i32.load16_u
                (i32.add
                  (local.get $owners)
                  (i32.shl
                    (call $find
                      (call $hash (local.get $key) (local.get $length))
                      (i64.extend_i32_u (local.get $shift))
                      (local.get $firsts) (local.get $positions) (local.get $points))
                    (i32.const 1)))))))
        (local.set $place (i32.load16_u (i32.add (local.get $placeOf) (i32.shl (local.get $shard) (i32.const 1)))))
        (if (i32.eqz (local.get $place))
          (then
            (local.set $part (i32.add (local.get $parts) (i32.shl (local.get $found) (i32.const 4))))
            (local.set $found (i32.add (local.get $found) (i32.const 1)))
            (local.set $place (local.get $found))
            (i32.store16 (i32.add (local.get $placeOf) (i32.shl (local.get $shard) (i32.const 1))) (local.get $place))
            (i32.store (local.get $part) (local.get $shard))
            (i32.store offset=4 (local.get $part) (i32.const 0))
            (i32.store offset=8 (local.get $part) (i32.const 0))))
        (local.set $place (i32.sub (local.get $place) (i32.const 1)))
        (local.set $part (i32.add (local.get $parts) (i32.shl (local.get $place) (i32.const 4))))
        (i32.store offset=4 (local.get $part) (i32.add (i32.load offset=4 (local.get $part)) (i32.const 1)))
        (i32.store offset=8 (local.get $part)
          (i32.add (i32.load offset=8 (local.get $part)) (i32.sub (local.get $at) (local.get $begin))))
        (i32.store16 (i32.add (global.get $PLACES) (i32.shl (local.get $i) (i32.const 1))) (local.get $place))
        (i32.store (i32.add (global.get $ENDS) (i32.shl (local.get $i) (i32.const 2))) (local.get $at))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.set $i (i32.const 0))
    (block $cleared
      (loop $clear
        (br_if $cleared (i32.ge_u (local.get $i) (local.get $found)))
        (i32.store16
          (i32.add
            (local.get $placeOf)
            (i32.shl (i32.load (i32.add (local.get $parts) (i32.shl (local.get $i) (i32.const 4)))) (i32.const 1)))
          (i32.const 0))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $clear)))
    (local.get $found))

  ;; Puts what the $found parts of $count keys have side by side, each behind the one before, and where each ends into $parts. $head: as for `sort`.
  (func (export "group") (param $count i32) (param $head i32) (param $found i32) (param $parts i32)
    (local $i i32) (local $at i32) (local $to i32) (local $end i32) (local $part i32) (local $stop i32)
    (local.set $to (global.get $BODIES))
    (local.set $part (local.get $parts))
    (local.set $stop (i32.add (local.get $parts) (i32.shl (local.get $found) (i32.const 4))))
    (loop $next
      (i32.store offset=12 (local.get $part) (local.get $to))
      ;; Keys are copied in words: the last one may reach beyond its end.
      (local.set $to (i32.add (i32.add (local.get $to) (i32.load offset=8 (local.get $part))) (i32.const 8)))
      (local.set $part (i32.add (local.get $part) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $part) (local.get $stop))))
    (block $done
      (loop $key
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (local.set $at (i32.add (local.get $at) (local.get $head)))
        (local.set $end (i32.load (i32.add (global.get $ENDS) (i32.shl (local.get $i) (i32.const 2)))))
        (local.set $part
          (i32.add
            (local.get $parts)
            (i32.shl
              (i32.load16_u (i32.add (global.get $PLACES) (i32.shl (local.get $i) (i32.const 1))))
              (i32.const 4))))
        (local.set $to (i32.load offset=12 (local.get $part)))
        (i32.store offset=12 (local.get $part)
          (i32.add (local.get $to) (i32.sub (local.get $end) (local.get $at))))
        (loop $word
          (i64.store (local.get $to) (i64.load (local.get $at)))
          (local.set $to (i32.add (local.get $to) (i32.const 8)))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $word (i32.lt_u (local.get $at) (local.get $end))))
        (local.set $at (local.get $end))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $key))))
)
