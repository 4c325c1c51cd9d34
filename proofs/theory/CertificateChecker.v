(** The checker of a certificate, run by [vm_compute], and what its answer means.
    This file: the problem, the dual matrix and ||G||_op^2 <= lw lh. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring zify ssrZ.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels.
From UFM Require Import CertificateNumbers CertificateBound.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

(** ** The problem and the certificate *)
Inductive bias_numbers := NoBiasN | FreeBiasN | RegularizedBiasN of Q.

(** K classes, C groups of samples (for one-hot labels C = K), [counts] samples in
    each; the target of group g is column g of [targets] / [target_den]. *)
Record problem := Problem {
  classes : nat;
  groups : nat;
  counts : seq Z;
  targets : seq (seq Z);
  target_den : positive;
  lambda_w : Q;
  lambda_h : Q;
  bias : bias_numbers }.

(** The dual matrix [dual_rows] / [unit], one column per group, and a factor
    [factor_rows] / [unit] that proves its norm small enough. *)
Record dual := Dual {
  unit : positive;
  radius : Z;
  dual_rows : seq (seq Z);
  factor_rows : seq (seq Z) }.

Definition sizes_are N C (lab : 'I_N -> 'I_C) (n : seq Z) : Prop :=
  size n = C /\ forall g : 'I_C, Z.of_nat (class_size lab g) = at1 n g.

(** Every list of nonnegative sizes has a labelling: no claim below is empty. *)
Theorem sizes_exist n : all (Z.leb 0) n ->
  exists N, exists lab : 'I_N -> 'I_(size n), sizes_are lab n.
Proof.
move/all_nthP => n0; have [lab h] := labelling_exists (fun g : 'I_(size n) => Z.to_nat (at1 n g)).
eexists; exists lab; split=> // g; rewrite h Z2Nat.id //.
by apply/Z.leb_le/n0.
Qed.

Section Problem.
Variable P : problem.
Local Notation K := (classes P).
Local Notation C := (groups P).
Local Notation n := (counts P).

Definition samples : Z := sumz n.
Definition weighted (r : seq Z) : seq Z := map2 Z.mul n r.

Definition positive_q (q : Q) : bool := Z.ltb 0 (Qnum q).
Definition lambda_b : Q := if bias P is RegularizedBiasN lb then lb else 0%binQ.
Definition check_problem : bool :=
  [&& size n == C, shaped K C (targets P), Z.ltb 0 samples, positive_q (lambda_w P),
      positive_q (lambda_h P)
    & if bias P is RegularizedBiasN lb then positive_q lb else true].

Definition bias_of (R : rcfType) : bias_mode R :=
  match bias P with
  | NoBiasN => NoBias
  | FreeBiasN => FreeBias
  | RegularizedBiasN lb => RegularizedBias (qr R lb)
  end.

Variable D : dual.
Local Notation rows := (dual_rows D).
Local Notation fact := (factor_rows D).
Definition width : nat := size (head [::] fact).

(** Row k of R diag(n) R^T + L L^T has absolute sum at most [radius]. *)
Definition row_sum (r l : seq Z) : Z :=
  let rn := weighted r in
  sumz (map2 (fun r' l' => Z.abs (dot rn r' + dot l l')) rows fact).
Definition check_norm : bool :=
  [&& shaped K width fact,
      all (fun s => Z.leb s (radius D)) (map2 row_sum rows fact)
    & Qle_bool (radius D # 1)
        ((samples * samples * (Zpos (unit D) * Zpos (unit D)) # 1)
          * (lambda_w P * lambda_h P))].
Definition row_totals : seq Z := [seq dot n r | r <- rows].
Definition check_bias : bool :=
  if bias P is FreeBiasN then all (Z.eqb 0) row_totals else true.
Definition check_dual : bool :=
  [&& check_problem, shaped K C rows, check_norm & check_bias].

(** |sum_g n_g r_g|^2 / (2 lambda_b N^2) *)
Definition bias_loss : Q :=
  if bias P is RegularizedBiasN lb then
    ((dot row_totals row_totals # 2) / (lb *
      (samples * samples * (Zpos (unit D) * Zpos (unit D)) # 1)))%binQ
  else 0%binQ.
End Problem.

(** ** What the checks mean *)
Local Arguments Qmult : simpl never.
Local Arguments Qdiv : simpl never.
Section Sound.
Variables (P : problem) (R : rcfType) (N : nat).
Local Notation K := (classes P).
Local Notation C := (groups P).
Local Notation n := (counts P).
Variable lab : 'I_N -> 'I_C.
Hypothesis sizes : sizes_are lab n.
Local Notation Y := (onehot R lab).
Local Notation zr := (zr R).
Local Notation qr := (qr R).
Local Notation matz := (matz R).

Lemma size_counts : size n = C. Proof. by case: sizes. Qed.
Lemma counts_zr (g : 'I_C) : zr (at1 n g) = (class_size lab g)%:R.
Proof. by case: sizes => _ <-; rewrite zr_nat. Qed.
Lemma samples_zr : zr (samples P) = N%:R.
Proof.
rewrite (groups_size R lab) (sumzE R size_counts).
by apply: eq_bigr => g _; rewrite counts_zr.
Qed.
Lemma weighted_size r : size r = C -> size (weighted P r) = C.
Proof. exact: size_map2 size_counts. Qed.
Lemma weighted_at r (g : 'I_C) : size r = C ->
  zr (at1 (weighted P r) g) = (class_size lab g)%:R * zr (at1 r g).
Proof.
move=> e; rewrite /weighted (nth_map2 Z.mul 0%binZ 0%binZ _ size_counts e (ltn_ord g)).
by rewrite zrM counts_zr.
Qed.
Lemma dot_counts r : size r = C ->
  zr (dot n r) = \sum_g (class_size lab g)%:R * zr (at1 r g).
Proof.
move=> e; rewrite (dotE R size_counts e).
by apply: eq_bigr => g _; rewrite counts_zr.
Qed.
Lemma dot_weighted r s : size r = C -> size s = C ->
  zr (dot (weighted P r) s)
  = \sum_g (class_size lab g)%:R * zr (at1 r g) * zr (at1 s g).
Proof.
move=> e f; rewrite (dotE R (weighted_size e) f).
by apply: eq_bigr => g _; rewrite weighted_at.
Qed.

Hypothesis okP : check_problem P.
Lemma samples_gt0 : (0 < N)%N.
Proof. by case/and5P: okP => _ _ h _ _; rewrite -(ltr0n R) -samples_zr -zr0 zr_lt. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n samples_gt0. Qed.
Lemma lambda_w_gt0 : 0 < qr (lambda_w P).
Proof. by case/and5P: okP => _ _ _ h _; apply: qr_gt0. Qed.
Lemma lambda_h_gt0 : 0 < qr (lambda_h P).
Proof. by case/and5P: okP => _ _ _ _ /andP[h _]; apply: qr_gt0. Qed.

(** The targets, and the dual matrix on all samples. *)
Definition target_columns : 'M[R]_(K, C) :=
  (zr (Zpos (target_den P)))^-1 *: matz K C (targets P).
Definition target_matrix : 'M[R]_(K, N) := target_columns *m Y.

Variable D : dual.
Local Notation u := (zr (Zpos (unit D))).
Local Notation rows := (dual_rows D).
Local Notation fact := (factor_rows D).
Local Notation w := (width D).
Hypothesis okD : check_dual P D.
Let rows_ok : shaped K C rows. Proof. by case/and4P: okD. Qed.
Let uN : u != 0. Proof. exact: zr_posN. Qed.

Definition dual_columns : 'M[R]_(K, C) := u^-1 *: matz K C rows.
Definition dual_samples : 'M[R]_(K, N) := N%:R^-1 *: (dual_columns *m Y).

Let Rm := matz K C rows.
Let Lm := matz K w fact.
Let gram : 'M[R]_K := (Rm *m Y) *m (Rm *m Y)^T + Lm *m Lm^T.

Let gramE k l : gram k l =
  zr (dot (weighted P (nth [::] rows k)) (nth [::] rows l)
      + dot (nth [::] fact k) (nth [::] fact l)).
Proof.
case/and4P: okD => _ _ /and3P[sL _ _] _.
rewrite /gram (groups_gram lab Rm) [LHS]mxE mxE zrD; congr (_ + _).
  rewrite (dot_weighted (shaped_row rows_ok (ltn_ord k)) (shaped_row rows_ok (ltn_ord l))).
  by apply: eq_bigr => g _; rewrite !mxE.
rewrite (dotE R (shaped_row sL (ltn_ord k)) (shaped_row sL (ltn_ord l))) mxE.
by apply: eq_bigr => j _; rewrite !mxE.
Qed.

Let gram_rows k : \sum_l `|gram k l| <= zr (radius D).
Proof.
case/and4P: okD => _ _ /and3P[sL /all_nthP h _] _.
have sz := size_map2 (row_sum P D) (shaped_size rows_ok) (shaped_size sL).
have := h 0%binZ k; rewrite sz => /(_ (ltn_ord k)).
rewrite (nth_map2 _ [::] [::] _ (shaped_size rows_ok) (shaped_size sL) (ltn_ord k)).
rewrite -(zr_le R) /row_sum; apply: le_trans.
rewrite (sumzE R (size_map2 _ (shaped_size rows_ok) (shaped_size sL))).
apply: ler_sum => l _.
rewrite (nth_map2 _ [::] [::] _ (shaped_size rows_ok) (shaped_size sL) (ltn_ord l)).
by rewrite zr_abs gramE.
Qed.

Lemma dual_samplesE : dual_samples = (N%:R * u)^-1 *: (Rm *m Y).
Proof. by rewrite /dual_samples /dual_columns -scalemxAl scalerA -invfM. Qed.

Lemma dual_op : op_sq_le dual_samples^T (qr (lambda_w P) * qr (lambda_h P)).
Proof.
set mu := qr (lambda_w P) * _.
have rad : zr (radius D) <= (N%:R * u) ^+ 2 * mu.
  case/and4P: okD => _ _ /and3P[_ _ /(qr_le R) h] _; move: h.
  by rewrite qr_int !qrM qr_int !zrM samples_zr -/mu exprMn !expr2.
have nu : 0 < (N%:R * u) ^+ 2 by rewrite exprn_gt0 // mulr_gt0 ?zr_pos // ltr0n samples_gt0.
have nuN : (N%:R * u) ^+ 2 != 0 by rewrite gt_eqF.
have gt : gram^T = gram.
  by rewrite /gram trmxD !(trmx_mul _ (_^T)) !trmxK.
have p1 := row_sums_psd gt gram_rows.
have p2 : psd (((N%:R * u) ^+ 2 * mu - zr (radius D))%:M : 'M[R]_K).
  by move=> x; rewrite mul_mx_scalar frobZl mulr_ge0 ?subr_ge0 // sqF_ge0.
have p3 : psd (Lm *m Lm^T) by have := psd_gram Lm^T; rewrite trmxK.
have : psd (((N%:R * u) ^+ 2)^-1 *: ((zr (radius D))%:M - gram
    + ((N%:R * u) ^+ 2 * mu - zr (radius D))%:M + Lm *m Lm^T)).
  by apply: psdZ; [rewrite invr_ge0 ltW|apply: psdD => //; apply: psdD].
congr psd; rewrite trmxK.
have -> : dual_samples *m dual_samples^T
    = ((N%:R * u) ^+ 2)^-1 *: (Rm *m Y *m (Rm *m Y)^T).
  by rewrite dual_samplesE trmxZ -scalemxAl -scalemxAr scalerA -invfM -expr2.
rewrite /gram raddfB /= opprD.
set X := Rm *m Y *m _; set Q := Lm *m _; set r := (zr _)%:M; set s := (_ * mu)%:M.
have -> : r + (- X - Q) + (s - r) + Q = s - X.
  by rewrite addrAC -[r + _ + Q]addrA subrK addrC addrA subrK.
by rewrite scalerBr /s scale_scalar_mx mulrA mulVf // mul1r.
Qed.

Lemma dual_ones k : (dual_samples *m (ones N)^T) k 0
  = (N%:R * u)^-1 * zr (at1 (row_totals P D) k).
Proof.
rewrite /dual_samples -scalemxAl mxE groups_ones.
rewrite (nth_map [::]) ?(shaped_size rows_ok) ?ltn_ord //.
rewrite (dot_counts (shaped_row rows_ok (ltn_ord k))) invfM !mulr_sumr.
apply: eq_bigr => g _; rewrite /dual_columns !mxE.
by rewrite -[RHS]mulrA; congr (_ * _); exact: mulrCA.
Qed.

Lemma dual_bias : bias_ok (bias_of P R) (dual_samples *m (ones N)^T).
Proof.
rewrite /bias_of; case e : (bias P) => [||lb] //=.
  case/and4P: okD => _ _ _; rewrite /check_bias e => /all_nthP h.
  apply/matrixP => k j; rewrite ord1 dual_ones mxE.
  have := h 0%binZ k; rewrite size_map (shaped_size rows_ok) => /(_ (ltn_ord k)).
  by move/Z.eqb_spec => <-; rewrite mulr0.
apply: qr_gt0; case/and5P: okP => _ _ _ _ /andP[_].
by rewrite e.
Qed.

Lemma bias_loss_cost : qr (bias_loss P D)
  = bias_cost (bias_of P R) (dual_samples *m (ones N)^T).
Proof.
rewrite /bias_loss /bias_cost /bias_of; case e : (bias P) => [||lb].
- by rewrite qr_int.
- by rewrite qr_int.
have lb0 : 0 < qr lb.
  by apply: qr_gt0; case/and5P: okP => _ _ _ _ /andP[_]; rewrite e.
have sz : size (row_totals P D) = K by rewrite size_map (shaped_size rows_ok).
rewrite /Qdiv qrM qrV qrM qr_frac qr_int !zrM samples_zr (dotE R sz sz).
have -> : sqF (dual_samples *m (ones N)^T)
    = ((N%:R * u) ^+ 2)^-1 * \sum_(k < K) zr (at1 (row_totals P D) k) * zr (at1 (row_totals P D) k).
  rewrite /sqF frobE mulr_sumr; apply: eq_bigr => k _.
  rewrite big_ord_recl big_ord0 addr0 dual_ones; field.
  by rewrite NN uN.
rewrite (_ : zr 2%binZ = 2%:R) //; field.
by rewrite NN uN (gt_eqF lb0).
Qed.
End Sound.
