(** Certificates of the squared error, checked by computation: over every real closed
    field, for every labelling with the given group sizes, every dimension and every
    point, f(W, H, b) >= q; and the point of the certificate has f <= q'. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring zify ssrZ.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Mse.
From UFM Require Import CertificateNumbers CertificateBound CertificateChecker CertificatePoint.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

(** -(1/2N) sum_g n_g |r_g|^2 - (1/N) sum_g n_g <t_g, r_g> - bias *)
Definition mse_lower (P : problem) (D : dual) : Q :=
  let sq := sumz [seq dot (weighted P r) r | r <- dual_rows D] in
  let tr := sumz (map2 (fun r t => dot (weighted P r) t) (dual_rows D) (targets P)) in
  let N := samples P in
  let u := Zpos (unit D) in
  (- ((sq # 2) / (N * (u * u) # 1)) - (tr # 1) / (N * (u * Zpos (target_den P)) # 1)
   - bias_loss P D)%binQ.

Definition check_mse_lower P D q : bool := check_dual P D && Qle_bool q (mse_lower P D).

(** |Z - T|^2 / (2N) + penalties at a point *)
Definition mse_upper (P : problem) (X : point) : Q :=
  let den := (Zpos (target_den P) * (Zpos (point_unit X) * Zpos (point_unit X)))%binZ in
  let residual := map2 (map2 (fun z t => z * Zpos (target_den P)
    - t * (Zpos (point_unit X) * Zpos (point_unit X)))%binZ) (logit_rows X) (targets P) in
  ((sumz [seq dot (weighted P r) r | r <- residual] # 2) / (samples P * (den * den) # 1)
   + penalty P X)%binQ.

Definition check_mse_upper P X q : bool :=
  [&& check_problem P, check_point P X & Qle_bool (mse_upper P X) q].

Section Sound.
Variables (P : problem) (R : rcfType) (N : nat) (lab : 'I_N -> 'I_(groups P)).
Hypothesis sizes : sizes_are lab (counts P).
Local Notation K := (classes P).
Local Notation C := (groups P).
Local Notation Y := (onehot R lab).
Local Notation zr := (zr R).
Local Notation qr := (qr R).
Local Notation T := (target_matrix R lab).
Local Notation f := (ufm (mse T) (qr (lambda_w P)) (qr (lambda_h P)) (bias_of P R)).

Section Lower.
Variables (D : dual) (q : Q).
Hypothesis ok : check_mse_lower P D q.
Let okD : check_dual P D. Proof. by case/andP: ok. Qed.
Let okP : check_problem P. Proof. by case/and4P: okD. Qed.
Let sR : shaped K C (dual_rows D). Proof. by case/and4P: okD. Qed.
Let sT : shaped K C (targets P). Proof. by case/and5P: okP. Qed.
Let NN : N%:R != 0 :> R.
Proof. by rewrite pnatr_eq0 -lt0n (samples_gt0 R sizes okP). Qed.
Local Notation u := (zr (Zpos (unit D))).
Local Notation td := (zr (Zpos (target_den P))).
Local Notation r := (dual_columns P R D).
Local Notation G := (dual_samples R lab D).
Let uN : u != 0. Proof. exact: zr_posN. Qed.
Let tN : td != 0. Proof. exact: zr_posN. Qed.

Let v : R := - ((2%:R * N%:R)^-1 * sqF (r *m Y)) - N%:R^-1 * frob (r *m Y) T.

Lemma mse_fenchel Z : v + frob G Z <= mse T Z.
Proof.
rewrite -subr_ge0.
have -> : mse T Z - (v + frob G Z) = (2%:R * N%:R)^-1 * sqF (Z - T - r *m Y).
  rewrite /mse /v /dual_samples frobZl (sqFB (Z - T)) (frobC (Z - T)) frobBr.
  by field.
by rewrite scale_sqF_ge0 // invr_ge0 mulr_ge0 ?ler0n.
Qed.

Lemma mse_lowerE : qr (mse_lower P D)
  = v - bias_cost (bias_of P R) (G *m (ones N)^T).
Proof.
rewrite /mse_lower !qrB qrN (bias_loss_cost R sizes okP okD) /Qdiv !qrM !qrV qr_frac.
rewrite !qr_int !zrM (samples_zr R sizes) (_ : zr 2%binZ = 2%:R) // /v.
have -> : sqF (r *m Y) = (u * u)^-1 * zr (sumz [seq dot (weighted P r) r | r <- dual_rows D]).
  rewrite /sqF frob_groups (sumzE R (n := K)) ?size_map ?(shaped_size sR) // mulr_sumr.
  apply: eq_bigr => k _; rewrite (nth_map [::]) ?(shaped_size sR) //.
  rewrite (dot_weighted R sizes) ?(shaped_row sR) // mulr_sumr; apply: eq_bigr => g _.
  by rewrite /dual_columns !mxE; field.
have -> : frob (r *m Y) T = (u * td)^-1 *
    zr (sumz (map2 (fun r t => dot (weighted P r) t) (dual_rows D) (targets P))).
  have sz := size_map2 (fun r t => dot (weighted P r) t) (shaped_size sR) (shaped_size sT).
  rewrite /target_matrix frob_groups (sumzE R sz) mulr_sumr; apply: eq_bigr => k _.
  rewrite (nth_map2 _ [::] [::] _ (shaped_size sR) (shaped_size sT) (ltn_ord k)).
  rewrite (dot_weighted R sizes) ?(shaped_row sR) ?(shaped_row sT) // mulr_sumr.
  apply: eq_bigr => g _.
  by rewrite /dual_columns /target_columns !mxE; field; rewrite uN tN.
congr (_ - _); field.
by rewrite NN uN tN.
Qed.

Theorem mse_lower_sound d (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) :
  bias_allowed (bias_of P R) b -> qr q <= f W H b.
Proof.
move=> bok; apply: (le_trans (qr_le R (proj2 (andP ok)))); rewrite mse_lowerE.
apply: (weak_duality (lambda_w_gt0 R okP) (lambda_h_gt0 R okP) mse_fenchel) => //.
  exact: dual_op.
exact: dual_bias.
Qed.
End Lower.

Section Upper.
Variables (X : point) (q : Q).
Hypothesis ok : check_mse_upper P X q.
Let okP : check_problem P. Proof. by case/and3P: ok. Qed.
Let okX : check_point P X. Proof. by case/and3P: ok. Qed.
Let sT : shaped K C (targets P). Proof. by case/and5P: okP. Qed.
Let NN : N%:R != 0 :> R.
Proof. by rewrite pnatr_eq0 -lt0n (samples_gt0 R sizes okP). Qed.
Local Notation u := (zr (Zpos (point_unit X))).
Local Notation td := (zr (Zpos (target_den P))).
Let uN : u != 0. Proof. exact: zr_posN. Qed.
Let tN : td != 0. Proof. exact: zr_posN. Qed.

Theorem mse_upper_sound :
  bias_allowed (bias_of P R) (point_bias P X R) /\
  f (point_weights P X R) (point_features P X R *m Y) (point_bias P X R) <= qr q.
Proof.
split; first exact: point_bias_allowed.
have h : Qle_bool (mse_upper P X) q by case/and3P: ok.
apply: le_trans (qr_le R h); rewrite /mse_upper qrD (penaltyE R sizes okX) /ufm.
rewrite -!addrA; apply: ler_add => //; rewrite groups_logits -/(point_logits P X R).
rewrite /target_matrix /mse -mulmxBl /Qdiv qrM qrV qr_frac qr_int !zrM (samples_zr R sizes).
rewrite (_ : zr 2%binZ = 2%:R) //.
set res := map2 _ _ _.
have sZ := logit_rows_shaped okX.
have sr : shaped K C res := shaped_map2 _ sZ sT.
have -> : sqF ((point_logits P X R - target_columns P R) *m Y)
    = (td * (u * u) * (td * (u * u)))^-1 * zr (sumz [seq dot (weighted P r) r | r <- res]).
  rewrite /sqF frob_groups (sumzE R (n := K)) ?size_map ?(shaped_size sr) // mulr_sumr.
  apply: eq_bigr => k _; rewrite (nth_map [::]) ?(shaped_size sr) //.
  rewrite (dot_weighted R sizes) ?(shaped_row sr) // mulr_sumr; apply: eq_bigr => g _.
  rewrite (at_map2 _ sZ sT) // (point_logitsE R okX) /target_columns !mxE zrB !zrM.
  by field; rewrite uN tN.
rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
by rewrite NN uN tN.
Qed.
End Upper.
End Sound.
