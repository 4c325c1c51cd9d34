(** The claims of certificate files, in the words of the other theorems: one-hot and
    smoothed labels, tag sets. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring zify ssrZ.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Mse.
From UFM Require Import Exponential Softmax CrossEntropy.
From UFM Require Import CertificateNumbers CertificateBound CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

(** A lower bound everywhere and an upper bound at one point make a gap. *)
Lemma gap_sound (R : rcfType) (lower upper gap : Q) (x y : R) :
  Qle_bool (upper - lower)%binQ gap -> y <= qr R upper -> qr R lower <= x -> y - x <= qr R gap.
Proof.
move=> /(qr_le R) g u l; apply: le_trans g; rewrite qrB.
exact: ler_sub.
Qed.

(** ** Matrices of targets *)
Definition square_rows (K : nat) (a b : Z) : seq (seq Z) :=
  [seq [seq if i == j then a else b | j <- iota 0 K] | i <- iota 0 K].
Lemma square_rowsE (R : rcfType) K a b :
  matz R K K (square_rows K a b) = \matrix_(i, j) if i == j then zr R a else zr R b.
Proof.
apply/matrixP => i j; rewrite !mxE (nth_map 0%N) ?size_iota // nth_iota // add0n.
rewrite (nth_map 0%N) ?size_iota // nth_iota // add0n.
by rewrite -val_eqE /=; case: eqP.
Qed.

Definition onehot_problem K n lw lh b : problem :=
  Problem K K n (square_rows K 1 0) 1 lw lh b.
(** (1 - s) e_k + (s/K) 1 over the denominator of s times K. *)
Definition smoothed_diagonal K (s : Q) : Z :=
  ((Zpos (Qden s) - Qnum s) * Z.of_nat K + Qnum s)%binZ.
Local Arguments smoothed_diagonal : simpl never.
Definition smoothed_problem K (s : Q) n lw lh b : problem :=
  Problem K K n
    (square_rows K (smoothed_diagonal K s) (Qnum s))
    (Qden s * Pos.of_nat K) lw lh b.

Section Targets.
Variables (R : rcfType) (K N : nat) (lab : 'I_N -> 'I_K) (n : seq Z) (lw lh : Q).
Variables (b : bias_numbers) (s : Q).
Lemma onehot_targets : target_matrix (P := onehot_problem K n lw lh b) R lab = onehot R lab.
Proof.
rewrite /target_matrix /target_columns /= square_rowsE invr1 scale1r -[RHS]mul1mx.
by congr (_ *m _); apply/matrixP => i j; rewrite !mxE; case: eqP.
Qed.

Lemma smoothed_targets_numbers : (0 < K)%N ->
  target_matrix (P := smoothed_problem K s n lw lh b) R lab = smoothed_targets lab (qr R s).
Proof.
move=> K0; have KN : K%:R != 0 :> R by rewrite pnatr_eq0 -lt0n.
have KE : zr R (Zpos (Pos.of_nat K)) = K%:R.
  by rewrite -(zr_nat R K); congr zr; rewrite -positive_nat_Z Nat2Pos.id //; lia.
rewrite /target_matrix /target_columns /smoothed_targets /=; congr (_ *m _).
rewrite square_rowsE; apply/matrixP => i j.
rewrite /mix !mxE ctrE avgE zr_posM KE /qr /smoothed_diagonal zrD zrM zrB zr_nat.
have := zr_posN R (Qden s); set D := zr R (Zpos _) => DN.
by case: eqP => _; rewrite ?mulr1n ?mulr0n; field; rewrite DN KN.
Qed.
End Targets.

(** ** Mean squared error *)
Theorem mse_lower_claim K n lw lh b D q :
  check_mse_lower (onehot_problem K n lw lh b) D q ->
  forall (R : rcfType) N (lab : 'I_N -> 'I_K), sizes_are lab n ->
  forall d (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (beta : 'cV[R]_K),
  bias_allowed (bias_of (onehot_problem K n lw lh b) R) beta ->
  qr R q <= ufm (mse (onehot R lab)) (qr R lw) (qr R lh)
              (bias_of (onehot_problem K n lw lh b) R) W H beta.
Proof.
move=> ok R N lab sizes d W H beta bok.
by have := mse_lower_sound (P := onehot_problem K n lw lh b) sizes ok W H bok; rewrite onehot_targets.
Qed.

Theorem mse_upper_claim K n lw lh b X q :
  check_mse_upper (onehot_problem K n lw lh b) X q ->
  forall (R : rcfType) N (lab : 'I_N -> 'I_K), sizes_are lab n ->
  let P := onehot_problem K n lw lh b in
  bias_allowed (bias_of P R) (point_bias P X R) /\
  ufm (mse (onehot R lab)) (qr R lw) (qr R lh) (bias_of P R)
    (point_weights P X R) (point_features P X R *m onehot R lab) (point_bias P X R) <= qr R q.
Proof.
move=> ok R N lab sizes P.
by have := mse_upper_sound (P := onehot_problem K n lw lh b) R sizes ok; rewrite onehot_targets.
Qed.

(** ** Softmax losses *)
Section Softmax.
Variables (R : rcfType) (E : exponential R).

Lemma softmax_loss_ext K N (w w' : 'I_N -> R) (T Z : 'M[R]_(K, N)) :
  w =1 w' -> softmax_loss E w T Z = softmax_loss E w' T Z.
Proof.
by move=> h; rewrite /softmax_loss; congr (_ * (_ - _)); apply: eq_bigr => i _; rewrite h.
Qed.
Lemma unit_mass C N (lab : 'I_N -> 'I_C) i : group_mass (nseq C 1%binZ) R lab i = 1.
Proof. by rewrite /group_mass nth_nseq ltn_ord. Qed.

Theorem ce_lower_claim K n lw lh b D p logs q :
  check_softmax_lower (onehot_problem K n lw lh b) (nseq K 1%binZ) D p logs q ->
  forall N (lab : 'I_N -> 'I_K), sizes_are lab n ->
  forall d (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (beta : 'cV[R]_K),
  bias_allowed (bias_of (onehot_problem K n lw lh b) R) beta ->
  qr R q <= ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lw) (qr R lh)
              (bias_of (onehot_problem K n lw lh b) R) W H beta.
Proof.
move=> ok N lab sizes d W H beta bok.
have := softmax_lower_sound (P := onehot_problem K n lw lh b) E sizes ok W H bok; rewrite onehot_targets /ufm.
by rewrite (softmax_loss_ext _ _ (unit_mass lab)).
Qed.

Theorem ce_upper_claim K n lw lh b p X levels q :
  check_softmax_upper (onehot_problem K n lw lh b) (nseq K 1%binZ) p X levels q ->
  forall N (lab : 'I_N -> 'I_K), sizes_are lab n ->
  let P := onehot_problem K n lw lh b in
  bias_allowed (bias_of P R) (point_bias P X R) /\
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lw) (qr R lh) (bias_of P R)
    (point_weights P X R) (point_features P X R *m onehot R lab) (point_bias P X R) <= qr R q.
Proof.
move=> ok N lab sizes P.
have := softmax_upper_sound (P := onehot_problem K n lw lh b) E sizes ok; rewrite onehot_targets /ufm.
by rewrite (softmax_loss_ext _ _ (unit_mass lab)).
Qed.

Theorem smoothing_lower_claim K s n lw lh b D p logs q :
  check_softmax_lower (smoothed_problem K s n lw lh b) (nseq K 1%binZ) D p logs q ->
  forall N (lab : 'I_N -> 'I_K), sizes_are lab n ->
  forall d (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (beta : 'cV[R]_K),
  bias_allowed (bias_of (smoothed_problem K s n lw lh b) R) beta ->
  qr R q <= ufm (smoothed_ce E lab (qr R s)) (qr R lw) (qr R lh)
              (bias_of (smoothed_problem K s n lw lh b) R) W H beta.
Proof.
move=> ok N lab sizes d W H beta bok.
have K0 : (0 < K)%N by case/and5P: ok => _ /andP[].
have := softmax_lower_sound (P := smoothed_problem K s n lw lh b) E sizes ok W H bok; rewrite smoothed_targets_numbers // /ufm.
by rewrite (softmax_loss_ext _ _ (unit_mass lab)).
Qed.

Theorem smoothing_upper_claim K s n lw lh b p X levels q :
  check_softmax_upper (smoothed_problem K s n lw lh b) (nseq K 1%binZ) p X levels q ->
  forall N (lab : 'I_N -> 'I_K), sizes_are lab n ->
  let P := smoothed_problem K s n lw lh b in
  bias_allowed (bias_of P R) (point_bias P X R) /\
  ufm (smoothed_ce E lab (qr R s)) (qr R lw) (qr R lh) (bias_of P R)
    (point_weights P X R) (point_features P X R *m onehot R lab) (point_bias P X R) <= qr R q.
Proof.
move=> ok N lab sizes P.
have K0 : (0 < K)%N by case/and5P: ok => _ _ /andP[].
have := softmax_upper_sound (P := smoothed_problem K s n lw lh b) E sizes ok; rewrite smoothed_targets_numbers // /ufm.
by rewrite (softmax_loss_ext _ _ (unit_mass lab)).
Qed.

(** Pick-all-labels: [tags] is the K x C matrix of tag sets, one column per group. *)
Definition tags_problem K C n tags lw lh b : problem := Problem K C n tags 1 lw lh b.
Lemma tags_targets K C N (lab : 'I_N -> 'I_C) n tags lw lh b :
  target_matrix (P := tags_problem K C n tags lw lh b) R lab = matz R K C tags *m onehot R lab.
Proof. by rewrite /target_matrix /target_columns /= invr1 scale1r. Qed.

Theorem tags_lower_claim K C n tags masses lw lh b D p logs q :
  check_softmax_lower (tags_problem K C n tags lw lh b) masses D p logs q ->
  forall N (lab : 'I_N -> 'I_C), sizes_are lab n ->
  forall d (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (beta : 'cV[R]_K),
  bias_allowed (bias_of (tags_problem K C n tags lw lh b) R) beta ->
  qr R q <= ufm (softmax_loss E (group_mass masses R lab) (matz R K C tags *m onehot R lab))
              (qr R lw) (qr R lh) (bias_of (tags_problem K C n tags lw lh b) R) W H beta.
Proof.
move=> ok N lab sizes d W H beta bok.
by have := softmax_lower_sound (P := tags_problem K C n tags lw lh b) E sizes ok W H bok; rewrite tags_targets.
Qed.

Theorem tags_upper_claim K C n tags masses lw lh b p X levels q :
  check_softmax_upper (tags_problem K C n tags lw lh b) masses p X levels q ->
  forall N (lab : 'I_N -> 'I_C), sizes_are lab n ->
  let P := tags_problem K C n tags lw lh b in
  bias_allowed (bias_of P R) (point_bias P X R) /\
  ufm (softmax_loss E (group_mass masses R lab) (matz R K C tags *m onehot R lab))
    (qr R lw) (qr R lh) (bias_of P R)
    (point_weights P X R) (point_features P X R *m onehot R lab) (point_bias P X R) <= qr R q.
Proof.
move=> ok N lab sizes P.
by have := softmax_upper_sound (P := tags_problem K C n tags lw lh b) E sizes ok; rewrite tags_targets.
Qed.
End Softmax.
