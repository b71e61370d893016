;; Puts the values that the parts of a split MGET brought into the order of its keys (value-merger.ts).
;; scripts/write-wasm-modules.ts puts it into value-merger-wasm.ts.
(module
  ;; Of 64 KiB each: the elements of the parts, each part behind the one before, then the merged values, which begin at $MERGED, then for each key its part ($OWNERS, 16
  ;; bits), and for each part where its next element begins ($CURSORS, 32 bits).
  (memory (export "memory") 4)
  (global $MERGED i32 (i32.const 0x18000))
  (global $OWNERS i32 (i32.const 0x30000))
  (global $CURSORS i32 (i32.const 0x38000))

  ;; Merges so many elements, all of them bulk strings or null; returns where they end, or 0 when one is something else.
  (func (export "merge") (param $count i32) (result i32)
    (local $i i32) (local $cursor i32) (local $at i32) (local $end i32) (local $digit i32) (local $length i32) (local $to i32)
    (local.set $to (global.get $MERGED))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (local.set $cursor
          (i32.add
            (global.get $CURSORS)
            (i32.shl
              (i32.load16_u (i32.add (global.get $OWNERS) (i32.shl (local.get $i) (i32.const 1))))
              (i32.const 2))))
        (local.set $at (i32.load (local.get $cursor)))
        (local.set $end (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.const 0))
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x24))
          (then
            (block $read
              (loop $more
                (local.set $digit (i32.sub (i32.load8_u (local.get $end)) (i32.const 48)))
                (br_if $read (i32.gt_u (local.get $digit) (i32.const 9)))
                (local.set $length (i32.add (i32.mul (local.get $length) (i32.const 10)) (local.get $digit)))
                (local.set $end (i32.add (local.get $end) (i32.const 1)))
                (br $more)))
            ;; Two line ends, but one alone behind `$-1`, of which the digit is not read yet.
            (local.set $end
              (i32.add
                (i32.add (local.get $end) (local.get $length))
                (i32.const 4))))
          (else
            (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x5f)) (then (return (i32.const 0))))
            ;; `_`
            (local.set $end (i32.add (local.get $end) (i32.const 2)))))
        (i32.store (local.get $cursor) (local.get $end))
        (local.set $length (i32.sub (local.get $end) (local.get $at)))
        (local.set $cursor (i32.add (local.get $to) (local.get $length)))
        ;; In words, of which the last one may reach beyond.
        (loop $word
          (i64.store (local.get $to) (i64.load (local.get $at)))
          (local.set $to (i32.add (local.get $to) (i32.const 8)))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $word (i32.lt_u (local.get $at) (local.get $end))))
        (local.set $to (local.get $cursor))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $to))
)
