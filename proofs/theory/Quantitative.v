(** From a gap to collapse: f - f* <= eps bounds within-class variability, alignment,
    fit and the error of the Gram matrix.  Balanced MSE without bias, c <= 1. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse.
From UFM Require Import MseModes MseBalanced.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Quantitative.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Local Notation f := (fun W H => ufm (mse Y) lw lh NoBias W H 0).
Hypothesis c1 : c <= 1.
Let nN : n%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let lwN : lw != 0. Proof. by rewrite gt_eqF. Qed.
Let lhN : lh != 0. Proof. by rewrite gt_eqF. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let lwt : lw * t = c / K%:R. Proof. by rewrite (reg_cE K n0 lw0 lh0) mulrAC mulfV // mul1r. Qed.

(** The three terms of the collapse identity, written with the class means. *)
Theorem mse_gap_terms (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) :
  f W H - (c - c ^+ 2 / 2%:R)
  = (2%:R * N%:R)^-1 * sqF (W *m H - (1 - c) *: Y)
    + lw / 2%:R * sqF (W - t *: (Hbar H)^T)
    + lh / 2%:R * sqF (H - Hbar H *m Y).
Proof.
have cross : frob (W *m H) Y = n%:R * frob W (Hbar H)^T.
  rewrite frob_mull -frob_tr trmx_mul trmxK (mulmx_onehot_tr lab n0) frobZr.
  by rewrite -frob_tr trmxK.
have hY : frob H (Hbar H *m Y) = n%:R * sqF (Hbar H).
  by rewrite frobC frob_mull (mulmx_onehot_tr lab n0) frobZr.
have nY : sqF (Hbar H *m Y) = n%:R * sqF (Hbar H).
  by rewrite /sqF frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
have tt : lw * t ^+ 2 = n%:R * lh by rewrite (dual_scale_sqr n0 lw0 lh0); field.
have cE : c = K%:R * (lw * t) := reg_cE K n0 lw0 lh0.
rewrite /ufm /mse mul0mx addr0 sqF0 mulr0 addr0 ![sqF (W *m H - _)]sqFB.
rewrite [sqF (W - _)]sqFB [sqF (H - _)]sqFB !frobZr !sqFZ (sqF_onehot R bal) cross hY nY sqF_tr.
have -> : lw / 2%:R * (sqF W - 2%:R * (t * frob W (Hbar H)^T) + t ^+ 2 * sqF (Hbar H))
  = lw / 2%:R * sqF W - (lw * t) * frob W (Hbar H)^T + (lw * t ^+ 2) / 2%:R * sqF (Hbar H).
  by field.
rewrite tt lwt NE.
move: (sqF W) (sqF H) (sqF (W *m H)) (frob W _) (sqF (Hbar H)) => p q r u v.
by move: c (K%:R : R) KN (n%:R : R) nN => g k kN e eN; field; rewrite kN eN.
Qed.

(** Each is at most the gap, so within-class variability, alignment and fit are
    O(gap). *)
Theorem mse_gap_bounds (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) eps :
  f W H - (c - c ^+ 2 / 2%:R) <= eps ->
  [/\ sqF (W *m H - (1 - c) *: Y) <= 2%:R * N%:R * eps,
      sqF (W - t *: (Hbar H)^T) <= 2%:R / lw * eps
    & sqF (H - Hbar H *m Y) <= 2%:R / lh * eps].
Proof.
rewrite mse_gap_terms => le.
have N0 : 0 < N%:R :> R by rewrite NE mulr_gt0 ?ltr0n.
have i0 : 0 < (2%:R * N%:R)^-1 :> R by rewrite invr_gt0 mulr_gt0 ?N0 ?ltr0n.
have w0 : 0 < lw / 2%:R by rewrite divr_gt0 ?ltr0n.
have h0 : 0 < lh / 2%:R by rewrite divr_gt0 ?ltr0n.
have z : (0 : R) <= 0 by [].
rewrite -[X in X <= eps]addr0 in le.
have [b1 b2 b3 _] := sum4_le (scale_sqF_ge0 _ (ltW i0)) (scale_sqF_ge0 _ (ltW w0))
  (scale_sqF_ge0 _ (ltW h0)) z le.
split.
- by move: b1; rewrite mulrC ler_pdivr_mulr ?mulr_gt0 ?N0 ?ltr0n // mulrC.
- by rewrite -(ler_pmul2l w0); apply: le_trans b2 _; rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
by rewrite -(ler_pmul2l h0); apply: le_trans b3 _; rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
Qed.

(** The Gram matrix of the class means, from fit and alignment:
    |t Hbar^T Hbar - (1 - c) I|^2 <= (4 K + 4 |Hbar|^2 / lw) eps, and |Hbar|^2 is at most
    2 f / (n lh). *)
Theorem mse_gap_gram (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) eps :
  f W H - (c - c ^+ 2 / 2%:R) <= eps ->
  sqF (t *: ((Hbar H)^T *m Hbar H) - (1 - c)%:M)
    <= (4%:R * K%:R + 4%:R / lw * sqF (Hbar H)) * eps.
Proof.
move=> /mse_gap_bounds[b1 b2 _].
have n1 : 0 < n%:R :> R by rewrite ltr0n.
have fit : sqF (W *m Hbar H - (1 - c)%:M) <= 2%:R * K%:R * eps.
  have e : W *m Hbar H - (1 - c)%:M = n%:R^-1 *: ((W *m H - (1 - c) *: Y) *m Y^T).
    rewrite mulmxBl -scalemxAl (balanced_gram R bal) -mulmxA (mulmx_onehot_tr lab n0).
    by rewrite scale_scalar_mx -scalemxAr scalerBr scalerA mulVf // scale1r scale_scalar_mx mulrCA mulVf // mulr1.
  have op : op_sq_le Y^T n%:R.
    move=> v; rewrite op_form.
    have -> : sqF (Y^T *m v^T) = n%:R * sqF v.
      by rewrite -trmx_mul sqF_tr /sqF frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
    by rewrite subrr.
  have op' : op_sq_le Y n%:R by rewrite -[Y]trmxK; apply: op_sq_le_tr op; exact: ltW.
  rewrite e sqFZ; apply: le_trans (_ : _ <= n%:R^-1 ^+ 2 * (n%:R * sqF (W *m H - (1 - c) *: Y))) _.
    apply: ler_wpmul2l; first exact: sqr_ge0.
    have := op_sq_leP (W *m H - (1 - c) *: Y) op'.
    by rewrite -[sqF (Y *m _)]sqF_tr trmx_mul trmxK.
  have -> : n%:R^-1 ^+ 2 * (n%:R * sqF (W *m H - (1 - c) *: Y))
     = n%:R^-1 * sqF (W *m H - (1 - c) *: Y) by move: (sqF _) => p; field.
  apply: le_trans (ler_wpmul2l _ b1) _; first by rewrite invr_ge0 ltW.
  by rewrite NE le_eqVlt; apply/orP; left; apply/eqP; field.
have e : t *: ((Hbar H)^T *m Hbar H) - (1 - c)%:M
    = (W *m Hbar H - (1 - c)%:M) + - ((W - t *: (Hbar H)^T) *m Hbar H).
  by rewrite [(W - _) *m _]mulmxBl -scalemxAl opprB [RHS]addrC addrA subrK.
rewrite e; apply: le_trans (sqFD_le _ _) _; rewrite sqFN.
have -> : (4%:R * K%:R + 4%:R / lw * sqF (Hbar H)) * eps
   = 2%:R * (2%:R * K%:R * eps) + 2%:R * (2%:R / lw * eps * sqF (Hbar H)).
  by move: (sqF _) => p; field.
apply: ler_add; first by rewrite ler_pmul2l ?ltr0n.
rewrite ler_pmul2l ?ltr0n //; apply: le_trans (sqFM_le _ _) _.
by apply: ler_wpmul2r b2; exact: sqF_ge0.
Qed.
End Quantitative.

(** ** Any loss and bias mode with a dual matrix -(1/N) (alpha P + beta J/K) Y
    (MSE in its three modes, cross-entropy, label smoothing, supported contrastive
    losses): a gap of eps bounds the within-class variability by 2 eps / lh. *)
Section AnyLoss.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Variables (L : 'M[R]_(K, N) -> R) (m : bias_mode R) (Zs : 'M[R]_(K, N)) (bs : 'cV[R]_K).
Variables (alpha beta : R).
Local Notation G := (dual_matrix lab alpha beta).
Hypothesis cert : certificate L lw lh m Zs bs G.
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).
Let nN : n%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.

Let GHt H : G *m H^T = - (K%:R^-1 *: (mix K alpha beta *m (Hbar H)^T)).
Proof.
have -> : G *m H^T = - N%:R^-1 *: (mix K alpha beta *m (H *m Y^T)^T).
  by rewrite /dual_matrix -scalemxAl -mulmxA trmx_mul trmxK.
rewrite (mulmx_onehot_tr lab n0) trmxZ -scalemxAr scalerA -scaleNr; congr (_ *: _).
by rewrite NE; field; rewrite nN KN.
Qed.
(** The third term of the identity: within-class variability, and what the class means
    have outside the modes kept. *)
Lemma within_class_split H :
  within_class lw lh G H = sqF (H - Hbar H *m Y) + within_class lw lh G (Hbar H *m Y).
Proof.
rewrite !within_classE // !GHt (class_means_onehot n0 bal) sqFB.
have hY : frob H (Hbar H *m Y) = n%:R * sqF (Hbar H).
  by rewrite frobC frob_mull (mulmx_onehot_tr lab n0) frobZr.
have nY : sqF (Hbar H *m Y) = n%:R * sqF (Hbar H).
  by rewrite /sqF frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
by rewrite hY nY; ring.
Qed.

Theorem gap_within_class W H b eps : bias_allowed m b ->
  ufm L lw lh m W H b - dual_value L m Zs bs G <= eps ->
  sqF (H - Hbar H *m Y) <= 2%:R / lh * eps.
Proof.
move=> ok /(collapse_gap lw0 lh0 cert ok)[_ _ h _].
have h0 : 0 < lh / 2%:R by rewrite divr_gt0 ?ltr0n.
rewrite -(ler_pmul2l h0); have -> : lh / 2%:R * (2%:R / lh * eps) = eps.
  by field; rewrite gt_eqF.
apply: le_trans h; rewrite ler_pmul2l // within_class_split ler_addl.
exact: (within_class_ge0 lw0 lh0 _ (op_bound cert)).
Qed.

(** The second term: W is near t (alpha P + beta J/K)/c Hbar^T. *)
Theorem gap_alignment W H b eps : bias_allowed m b ->
  ufm L lw lh m W H b - dual_value L m Zs bs G <= eps ->
  sqF (W - (t / c) *: (mix K alpha beta *m (Hbar H)^T)) <= 2%:R / lw * eps.
Proof.
move=> ok /(collapse_gap lw0 lh0 cert ok)[_ h _ _].
have lwN : lw != 0 by rewrite gt_eqF.
have tN : t != 0 by rewrite gt_eqF // dual_scale_gt0.
have h0 : 0 < lw / 2%:R by rewrite divr_gt0 ?ltr0n.
rewrite -(ler_pmul2l h0); have -> : lw / 2%:R * (2%:R / lw * eps) = eps by field.
apply: le_trans h; rewrite le_eqVlt; apply/orP; left; apply/eqP; congr (_ * sqF _).
rewrite /self_duality GHt scalerN scalerA; congr (_ - _ *: _).
by rewrite (reg_cE K n0 lw0 lh0); field; rewrite tN lwN KN.
Qed.
End AnyLoss.
