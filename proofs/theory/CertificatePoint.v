(** The point of a certificate: one feature per group of samples, exact numbers. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring zify ssrZ.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels.
From UFM Require Import CertificateNumbers CertificateBound CertificateChecker.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

(** W, the features M (one row per group) and b, all over one denominator. *)
Record point := Point {
  dim : nat;
  point_unit : positive;
  weight_rows : seq (seq Z);
  feature_rows : seq (seq Z);
  bias_entries : seq Z }.

Section Point.
Variables (P : problem) (X : point).
Local Notation K := (classes P).
Local Notation C := (groups P).
Local Notation d := (dim X).
Local Notation u2 := (Zpos (point_unit X) * Zpos (point_unit X))%binZ.

Definition check_point : bool :=
  [&& shaped K d (weight_rows X), shaped C d (feature_rows X), size (bias_entries X) == K
    & if bias P is NoBiasN then all (Z.eqb 0) (bias_entries X) else true].

(** Logits times the square of the denominator. *)
Definition logit_rows : seq (seq Z) :=
  map2 (fun w b => [seq (dot w m + b * Zpos (point_unit X))%binZ | m <- feature_rows X])
    (weight_rows X) (bias_entries X).

Definition penalty : Q :=
  (((sumz [seq dot w w | w <- weight_rows X] # 2) * lambda_w P
  + (dot (counts P) [seq dot m m | m <- feature_rows X] # 2) * lambda_h P
  + (dot (bias_entries X) (bias_entries X) # 2) * lambda_b P) / (u2 # 1))%binQ.

Section Values.
Variable R : rcfType.
Definition point_weights : 'M[R]_(K, d) :=
  (zr R (Zpos (point_unit X)))^-1 *: matz R K d (weight_rows X).
Definition point_features : 'M[R]_(d, C) :=
  (zr R (Zpos (point_unit X)))^-1 *: (matz R C d (feature_rows X))^T.
Definition point_bias : 'cV[R]_K :=
  (zr R (Zpos (point_unit X)))^-1 *: \col_k zr R (at1 (bias_entries X) k).
Definition point_logits : 'M[R]_(K, C) :=
  point_weights *m point_features + point_bias *m ones C.
End Values.

Variables (R : rcfType) (N : nat) (lab : 'I_N -> 'I_C).
Hypotheses (sizes : sizes_are lab (counts P)) (okX : check_point).
Local Notation zr := (zr R).
Local Notation qr := (qr R).
Local Notation u := (zr (Zpos (point_unit X))).
Local Notation W := (point_weights R).
Local Notation M := (point_features R).
Local Notation b := (point_bias R).
Let uN : u != 0. Proof. exact: zr_posN. Qed.
Let sW : shaped K d (weight_rows X). Proof. by case/and4P: okX. Qed.
Let sM : shaped C d (feature_rows X). Proof. by case/and4P: okX. Qed.
Let sb : size (bias_entries X) = K. Proof. by case/and4P: okX => _ _ /eqP. Qed.

Lemma point_bias_allowed : bias_allowed (bias_of P R) b.
Proof.
rewrite /bias_of; case e : (bias P) => [||lb] //=.
case/and4P: okX => _ _ _; rewrite e => /all_nthP h.
apply/matrixP => k j; rewrite /point_bias !mxE.
have := h 0%binZ k; rewrite sb => /(_ (ltn_ord k)) /Z.eqb_spec <-.
by rewrite mulr0.
Qed.

Lemma logit_rows_shaped : shaped K C logit_rows.
Proof.
apply/andP; split; first by apply/eqP/size_map2 => //; exact: shaped_size sW.
apply/(all_nthP [::]) => k; rewrite (size_map2 _ (shaped_size sW) sb) => kK.
by rewrite (nth_map2 _ [::] 0%binZ _ (shaped_size sW) sb kK) size_map (shaped_size sM).
Qed.

Lemma point_logitsE : point_logits R = (u ^+ 2)^-1 *: matz R K C logit_rows.
Proof.
apply/matrixP => k g; rewrite /point_logits /point_weights /point_features /point_bias.
rewrite -scalemxAl -scalemxAr scalerA -invfM -expr2 !mxE big_ord_recl big_ord0 addr0 !mxE.
rewrite (nth_map2 _ [::] 0%binZ _ (shaped_size sW) sb (ltn_ord k)).
rewrite (nth_map [::]) ?(shaped_size sM) ?ltn_ord //.
rewrite zrD zrM (dotE R (shaped_row sW (ltn_ord k)) (shaped_row sM (ltn_ord g))).
rewrite [RHS]mulrDr mulr1; congr (_ * _ + _).
  by apply: eq_bigr => j _; rewrite !mxE.
by field.
Qed.

Lemma penaltyE : qr penalty
  = qr (lambda_w P) / 2%:R * sqF W + qr (lambda_h P) / 2%:R * sqF (M *m onehot R lab)
    + bias_weight (bias_of P R) / 2%:R * sqF b.
Proof.
have -> : bias_weight (bias_of P R) = qr (lambda_b P).
  by rewrite /bias_of /lambda_b; case: (bias P) => //=; rewrite qr_int.
have -> : sqF W = (u ^+ 2)^-1 * zr (sumz [seq dot w w | w <- weight_rows X]).
  rewrite /point_weights sqFZ exprVn; congr (_ * _).
  rewrite (sumzE R (n := K)) ?size_map ?(shaped_size sW) // /sqF frobE; apply: eq_bigr => k _.
  rewrite (nth_map [::]) ?(shaped_size sW) //.
  rewrite (dotE R (shaped_row sW (ltn_ord k)) (shaped_row sW (ltn_ord k))).
  by apply: eq_bigr => j _; rewrite !mxE.
have -> : sqF b = (u ^+ 2)^-1 * zr (dot (bias_entries X) (bias_entries X)).
  rewrite /point_bias sqFZ exprVn; congr (_ * _); rewrite (dotE R sb sb) /sqF frobE.
  by apply: eq_bigr => k _; rewrite big_ord_recl big_ord0 addr0 !mxE.
have -> : sqF (M *m onehot R lab)
    = (u ^+ 2)^-1 * zr (dot (counts P) [seq dot m m | m <- feature_rows X]).
  rewrite /sqF frob_groups exchange_big /= (dot_counts R sizes) ?size_map ?(shaped_size sM) //.
  rewrite mulr_sumr; apply: eq_bigr => g _.
  rewrite (nth_map [::]) ?(shaped_size sM) // (dotE R (shaped_row sM (ltn_ord g)) (shaped_row sM (ltn_ord g))).
  rewrite !mulr_sumr; apply: eq_bigr => j _; rewrite /point_features !mxE; field.
  by [].
rewrite /penalty /Qdiv qrM qrV qr_int !qrD !qrM !qr_frac zrM (_ : zr 2%binZ = 2%:R) //.
by field.
Qed.
End Point.
