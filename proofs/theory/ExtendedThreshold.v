(** The three-factor model at and above its threshold q = K^3 n l1 l2 l3 = 1/16. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse ExtendedLinear.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Threshold.
Variables (R : rcfType) (K N n d2 d1 : nat) (lab : 'I_N -> 'I_K) (l3 l2 l1 : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (l30 : 0 < l3) (l20 : 0 < l2) (l10 : 0 < l1).
Local Notation q := (extended_q K n l3 l2 l1).
Let q0 : 0 < q. Proof. by rewrite /extended_q !mulr_gt0 ?exprn_gt0 ?ltr0n. Qed.
Let qN : q != 0. Proof. by rewrite gt_eqF. Qed.

(** Above 1/16 the three weights can be lowered one at a time to the threshold, where
    the minimum is still 1/2: every factor of a minimiser vanishes. *)
Theorem extended_linear_zero_iff (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)) :
  16%:R^-1 < q ->
  extended lab l3 l2 l1 W2 W1 H = 1 / 2%:R <-> [/\ W2 = 0, W1 = 0 & H = 0].
Proof.
move=> big; split=> [eq|[-> -> ->]]; last exact: (extended_at_zero _ _ _ _ _ K0 n0 bal).
pose r := (16%:R * q)^-1.
have r0 : 0 < r by rewrite invr_gt0 mulr_gt0 ?ltr0n.
have r1 : r < 1.
  by rewrite /r invf_lt1 ?mulr_gt0 ?ltr0n // -ltr_pdivr_mull ?ltr0n // mulr1.
have rq : 16%:R^-1 <= r * q.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; rewrite /r; field.
have vanish p m' (A : 'M[R]_(p, m')) l : 0 < l ->
    1 / 2%:R <= extended lab l3 l2 l1 W2 W1 H - (1 - r) * l / 2%:R * sqF A -> A = 0.
  move=> l0; rewrite eq ler_subr_addl -ler_subr_addr subrr => le.
  have k0 : 0 < (1 - r) * l / 2%:R by rewrite divr_gt0 ?ltr0n // mulr_gt0 // subr_gt0.
  by apply/eqP; rewrite -(scale_sqF_eq0 _ k0) eq_le le scale_sqF_ge0 // ltW.
have lo a b c' : 0 < a -> 0 < b -> 0 < c' -> extended_q K n a b c' = r * q ->
    1 / 2%:R <= extended lab a b c' W2 W1 H.
  move=> a0 b0 c0 e; apply: (extended_linear_zero K0 n0 bal a0 b0 c0).
  by rewrite e.
split.
- apply: (vanish _ _ _ l3) => //.
  have -> : extended lab l3 l2 l1 W2 W1 H - (1 - r) * l3 / 2%:R * sqF W2
      = extended lab (r * l3) l2 l1 W2 W1 H by rewrite /extended; field.
  by apply: lo; rewrite ?mulr_gt0 // /extended_q; ring.
- apply: (vanish _ _ _ l2) => //.
  have -> : extended lab l3 l2 l1 W2 W1 H - (1 - r) * l2 / 2%:R * sqF W1
      = extended lab l3 (r * l2) l1 W2 W1 H by rewrite /extended; field.
  by apply: lo; rewrite ?mulr_gt0 // /extended_q; ring.
apply: (vanish _ _ _ l1) => //.
have -> : extended lab l3 l2 l1 W2 W1 H - (1 - r) * l1 / 2%:R * sqF H
    = extended lab l3 l2 (r * l1) W2 W1 H by rewrite /extended; field.
by apply: lo; rewrite ?mulr_gt0 // /extended_q; ring.
Qed.

(** At 1/16 the minimiser is not unique: zero and the frames of x = 1/2 are both there. *)
Theorem extended_linear_tie : (K <= d1)%N -> (K <= d2)%N -> q = 16%:R^-1 ->
  (forall (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)),
     1 / 2%:R <= extended lab l3 l2 l1 W2 W1 H) /\
  extended lab l3 l2 l1 (0 : 'M_(K, d2)) (0 : 'M_(d2, d1)) 0 = 1 / 2%:R /\
  exists (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)),
    extended lab l3 l2 l1 W2 W1 H = 1 / 2%:R /\
    extended_collapse n lab l2 l1 2%:R^-1 W2 W1 H.
Proof.
move=> Kd1 Kd2 e; split=> [W2 W1 H|].
  by apply: (extended_linear_zero K0 n0 bal l30 l20 l10); rewrite e.
split; first exact: (extended_at_zero _ _ _ _ _ K0 n0 bal).
have h1 : 2%:R^-1 < 1 :> R by rewrite invf_lt1 ?ltr0n // ltr1n.
have root : 2%:R^-1 * (1 - 2%:R^-1) ^+ 3 = q :> R by rewrite e; field.
have [W2 [W1 [H [v c]]]] :=
  extended_linear_attained K0 n0 bal l20 l10 Kd1 Kd2 (lexx _) h1 root.
by exists W2, W1, H; split=> //; rewrite v /extended_value; field.
Qed.
End Threshold.
